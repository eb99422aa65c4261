package terminal

import "unicode/utf8"

//go:generate sh -c "cd oracle && node widths.mjs | gofmt > ../widths.go"

// widthBlocks are the widths of 256 characters each; blocks of all characters share those that are the same.
var widthIndex, widthBlocks = makeWidths()

// runeWidth returns the number of columns of a character that is no control: 0 for one that combines, 1, or 2.
func runeWidth(r rune) int {
	return int(widthBlocks[widthIndex[uint32(r)>>8]][r&0xff])
}

func makeWidths() (index [(utf8.MaxRune + 1) >> 8]uint8, blocks [][256]uint8) {
	seen := map[[256]uint8]uint8{}
	changes := widthChanges[:]
	width := uint8(1)
	for i := range index {
		var block [256]uint8
		for k := range block {
			if len(changes) > 0 && changes[0].from == rune(i<<8|k) {
				width = changes[0].width
				changes = changes[1:]
			}
			block[k] = width
		}
		at, ok := seen[block]
		if !ok {
			at = uint8(len(blocks))
			seen[block] = at
			blocks = append(blocks, block)
		}
		index[i] = at
	}
	return index, blocks
}
