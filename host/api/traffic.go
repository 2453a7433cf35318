package api

// Traffic is what came and went over an interface of a container since it was made.
type Traffic struct {
	// Interface is its name in the container, and Network the network that it leads to, where
	// the host knows that.
	Interface string    `json:"interface"`
	Network   string    `json:"network,omitempty"`
	Received  LinkCount `json:"received"`
	Sent      LinkCount `json:"sent"`
}

// LinkCount counts what a link carried one way.
type LinkCount struct {
	Bytes   uint64 `json:"bytes"`
	Packets uint64 `json:"packets"`
	Errors  uint64 `json:"errors,omitempty"`
	Dropped uint64 `json:"dropped,omitempty"`
}
