package capture

// linkType says what a packet of a file begins with (LINKTYPE_ of the registry of pcap).
type linkType uint16

const (
	linkNull     linkType = 0 // BSD's loopback: the family of the addresses, in the order of bytes of the machine
	linkEthernet linkType = 1
	linkRawBSD   linkType = 12 // raw IP, as some systems number it
	linkRawOpen  linkType = 14
	linkRaw      linkType = 101
	linkLoop     linkType = 108 // OpenBSD's loopback: the same as linkNull, big-endian
	linkCooked   linkType = 113 // Linux, of any device
	linkIPv4     linkType = 228
	linkIPv6     linkType = 229
	linkCooked2  linkType = 276
)
