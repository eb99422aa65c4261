package find

// Lower is lower.
var Lower = lower

// SetWindow has the finder search so much at once, or as little as it can.
func (f *Finder) SetWindow(n int) { f.window = max(n, f.needle.longest+2*MaxExcerpt+8) }
