package store

import (
	"encoding/json"
	"net/netip"
)

// Attachment is what plugins of CNI have made for a lease, or may have made: it is recorded
// before they are run, and is gone once they have taken it back.
type Attachment struct {
	// Network and Link are those of the lease.
	Network string `json:"network"`
	Link    int    `json:"link,omitempty"`
	// Config is the list of plugins that were run, as it was then, Dirs are where their
	// programs are, and Args what they were told.
	Config []byte          `json:"config"`
	Dirs   []string        `json:"dirs"`
	Args   json.RawMessage `json:"args,omitempty"`
	// Made means that they have succeeded, with what follows, and have not begun to take it
	// back. Kept is what they want to know for that.
	Made      bool           `json:"made,omitempty"`
	Kept      []byte         `json:"kept,omitempty"`
	Addresses []netip.Prefix `json:"addresses,omitempty"`
	Gateway   netip.Addr     `json:"gateway,omitzero"`
	Servers   []string       `json:"servers,omitempty"`
	Search    []string       `json:"search,omitempty"`
	Options   []string       `json:"options,omitempty"`
	// Doubt is what they have found wrong with it while a container was running.
	Doubt string `json:"doubt,omitempty"`
}

// Attachment returns that of a link of the container, or nil.
func (c *Container) Attachment(link int) *Attachment {
	for i := range c.Attachments {
		if c.Attachments[i].Link == link {
			return &c.Attachments[i]
		}
	}
	return nil
}
