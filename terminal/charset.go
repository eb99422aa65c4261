package terminal

// A charset is a national or a line drawing set of characters, by the final byte of the sequence that designates it
// (ctlseqs, "Designate G0 Character Set"; VT510, SCS). 0 is ASCII. Sets with two final bytes have the first of them.
type charset byte

// charsetPairs is how each of them differs from ASCII: pairs of a character and what xterm.js is seen to show for it.
var charsetPairs = map[charset]string{
	'0': "`◆a▒b␉c␌d␍e␊f°g±h␤i␋j┘k┐l┌m└n┼o⎺p⎻q─r⎼s⎽t├u┤v┴w┬x│y≤z≥{π|≠}£~·", // DEC special graphics
	'A': "#£",                                                             // United Kingdom
	'4': "#£@¾[i\\½]|{¨|f}¼~´",                                            // Dutch
	'C': "[Ä\\Ö]Å^Ü`é{ä|ö}å~ü",                                            // Finnish
	'R': "#£@à[°\\ç]§{é|ù}è~¨",                                            // French
	'Q': "@à[â\\ç]ê^î`ô{é|ù}è~û",                                          // French Canadian
	'K': "@§[Ä\\Ö]Ü{ä|ö}ü~ß",                                              // German
	'Y': "#£@§[°\\ç]é`ù{à|ò}è~ì",                                          // Italian
	'E': "@Ä[Æ\\Ø]Å^Ü`ä{æ|ø}å~ü",                                          // Norwegian and Danish
	'Z': "#£@§[¡\\Ñ]¿{°|ñ}ç",                                              // Spanish
	'H': "@É[Ä\\Ö]Å^Ü`é{ä|ö}å~ü",                                          // Swedish
	'=': "#ù@à[é\\ç]ê^î_è`ô{ä|ö}ü~û",                                      // Swiss
}

var charsetTables = makeCharsetTables()

func makeCharsetTables() (tables [128]*[128]rune) {
	for c, pairs := range charsetPairs {
		var table [128]rune
		for i := range table {
			table[i] = rune(i)
		}
		runes := []rune(pairs)
		for i := 0; i < len(runes); i += 2 {
			table[runes[i]] = runes[i+1]
		}
		tables[c] = &table
	}
	return tables
}

// charsetOf returns the charset that a final byte designates, and whether there is one.
func charsetOf(final byte) (charset, bool) {
	switch final {
	case 'B':
		return 0, true
	case '5':
		final = 'C'
	case 'f':
		final = 'R'
	case '6':
		final = 'E'
	case '7':
		final = 'H'
	}
	return charset(final), charsetTables[final] != nil
}

func (c charset) translate(r rune) rune { return charsetTables[c][r] }

// designateCharset is SCS, for a set that there is.
func (t *Terminal) designateCharset(g int, final byte) {
	if c, ok := charsetOf(final); ok {
		t.setCharset(g, c)
	}
}

func (t *Terminal) setCharset(g int, c charset) {
	t.charsets[g] = c
	if t.level == g {
		t.charset = c
	}
}

func (t *Terminal) setLevel(g int) {
	t.level = g
	t.charset = t.charsets[g]
}

func (t *Terminal) resetCharsets() {
	t.charsets = [4]charset{}
	t.level, t.charset = 0, 0
}
