package terminal

import "unicode/utf8"

// clusterTable has each text of several runes that is in a cell once.
type clusterTable struct {
	list    []string
	index   map[string]content
	free    []content
	size    int // bytes of all
	refused int // since there was no room
	text    []byte
}

func (c *clusterTable) init() { c.index = map[string]content{} }

func (c *clusterTable) get(v content) string { return c.list[v&contentRune] }

// combine returns the content of a cell with another rune in it. A cell without one is none; and where there is no room,
// the cell stays as it is.
func (t *Terminal) combine(v content, r rune) content {
	c := &t.clusters
	size := v & (contentWide | contentZero)
	b := c.text[:0]
	switch {
	case v&contentCluster != 0:
		b = append(b, c.get(v)...)
		if utf8.RuneCount(b) >= maxRunes {
			return v
		}
	case v&contentRune != 0:
		b = utf8.AppendRune(b, rune(v&contentRune))
	default:
		return content(r) | size
	}
	b = utf8.AppendRune(b, r)
	c.text = b
	if i, ok := c.index[string(b)]; ok {
		return i | size
	}
	if len(c.free) == 0 && len(c.list) == maxClusters {
		if t.collectClusters(); len(c.free) == 0 {
			return v
		}
	}
	s := string(b)
	i := content(len(c.list)) | contentCluster
	if n := len(c.free); n > 0 {
		i = c.free[n-1] | contentCluster
		c.free = c.free[:n-1]
		c.list[i&contentRune] = s
	} else {
		c.list = append(c.list, s)
	}
	c.index[s] = i
	c.size += len(s)
	return i | size
}

// collectClusters is what collectExtended is for the other table.
func (t *Terminal) collectClusters() {
	c := &t.clusters
	if c.refused++; c.refused > 1 && c.refused < maxClusters {
		return
	}
	c.refused = 0
	var used [maxClusters]bool
	t.eachCell(func(c cell) {
		if c.content&contentCluster != 0 {
			used[c.content&contentRune] = true
		}
	})
	for i, s := range c.list {
		if !used[i] {
			delete(c.index, s)
			c.size -= len(s)
			c.list[i] = ""
			c.free = append(c.free, content(i))
		}
	}
	if len(c.free) < maxClusters/4 {
		c.refused = 1
	}
}

func (c *clusterTable) bytes() int { return 16*cap(c.list) + 48*len(c.index) + c.size + 4*cap(c.free) }
