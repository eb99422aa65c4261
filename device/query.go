package device

import "errors"

// Query chooses devices. They come in the order of fleet and name.
type Query struct {
	Fleet string // empty: all
	State State  // empty: all
	Match string // what a name must contain, whatever its case; with a * it is a pattern of the whole name
	After string // Page.Next of the page before
	Limit int    // of a page
}

// Counts are of all devices of the fleet that a Query names.
type Counts struct {
	Online  int `json:"online"`  // connected now: protocol document, section 5. Each connection without a name counts
	Offline int `json:"offline"` // that are known and not connected
	Held    int `json:"held"`
}

// Page is one answer to a Query.
type Page struct {
	Devices []Status `json:"devices"` // never null
	Counts  Counts   `json:"counts"`
	Next    string   `json:"next,omitempty"` // empty: there are no more
}

// Totals are counts of one fleet since the start.
type Totals struct {
	Fleet    string
	Online   int
	Held     int
	Messages uint64
	Flagged  uint64 // messages with something wrong
	Replaced uint64 // connections that ended because the device came again
	Refused  uint64 // connections that became no device, or were refused as one
}

// Errors of devices.
var (
	ErrNotFound  = errors.New("no such device")
	ErrConnected = errors.New("the device is connected: kick it first, or wait until it is gone")
)
