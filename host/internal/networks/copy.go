package networks

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"

	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/host/ocispec"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/linux"
)

// maxCopy bounds the copy of the records, in bytes.
const maxCopy = 16 << 20

// keepCopy writes the copy of the records, from which they are made again if the state is
// lost: the containers that are adopted then have addresses on these networks. The caller has
// changes.
func (m *Manager) keepCopy() {
	var all []*store.Network
	err := m.store.View(func(tx *store.Tx) (err error) {
		all, err = tx.Networks()
		return err
	})
	var text []byte
	if err == nil {
		text, err = json.Marshal(all)
	}
	if err == nil {
		err = os.WriteFile(m.copyFile+".new", text, 0o600)
	}
	if err == nil {
		err = os.Rename(m.copyFile+".new", m.copyFile)
	}
	if err != nil {
		m.logger.Warn("the copy of the records of networks is not written", "file", m.copyFile, "error", err)
	}
}

// restore puts back the records that are missing, from their copy.
func (m *Manager) restore(ctx context.Context) error {
	text, err := linux.ReadFile(m.copyFile, maxCopy)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	var all []*store.Network
	if err == nil {
		err = json.Unmarshal(text, &all)
	}
	if err != nil {
		return err
	}
	return m.store.Update(ctx, func(tx *store.Tx) error {
		known, err := tx.Networks()
		if err != nil {
			return err
		}
		used := storedSubnets(known)
		for _, n := range all {
			switch _, err := tx.Network(n.Name); {
			case err == nil, ocispec.ValidateNetworkName(n.Name) != nil, !usable(n.Subnet, n.Gateway), !m.ownBridge(n.Bridge), overlap(n.Subnet, used) != "",
				n.Subnet6.IsValid() && (!usable(n.Subnet6, n.Gateway6) || overlap(n.Subnet6, used) != ""):
				continue
			case !errors.Is(err, executor.NotFound):
				return err
			}
			if err := tx.PutNetwork(n); err != nil {
				return err
			}
			used = append(used, storedSubnets([]*store.Network{n})...)
			m.logger.Warn("the record of a network was made again", "network", n.Name, "subnet", n.Subnet.String())
		}
		return nil
	})
}
