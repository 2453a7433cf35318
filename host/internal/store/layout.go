package store

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"time"

	"github.com/davit-run/davit/shared/executor"
)

// bucket is one of the buckets of the file.
type bucket int

const (
	// meta: the header alone.
	meta bucket = iota - 1
	// containers: id → Container.
	containers
	// specs: id → the OCI spec. It is apart because a container's state changes often,
	// and its spec of tens of kilobytes never.
	specs
	// names: name → id.
	names
	// requests: request id of a create → id.
	requests
	// exits: ref → Exit.
	exits
	// events: sequence → Event.
	events
	// images: id → Image.
	images
	// execs: ref → Exec.
	execs
	// volumes: name → Volume.
	volumes
	// networks: name → Network.
	networks
	// leases: NETWORK/ADDRESS → id.
	leases
	// joins: NAMESPACE/ID → id, of the containers that have the network namespace of another.
	joins

	bucketCount = int(joins) + 1
	// firstBuckets is how many buckets the first release had. A store may lack later ones,
	// and then gets them.
	firstBuckets = int(events) + 1
)

var bucketNames = [bucketCount]string{"containers", "specs", "names", "requests", "exits", "events", "images", "execs", "volumes", "networks", "leases", "joins"}

func (b bucket) name() string {
	if b == meta {
		return "meta"
	}
	return bucketNames[b]
}

// bucketNamed finds a bucket by its name.
func bucketNamed(name string) (bucket, bool) {
	for b := meta; int(b) < bucketCount; b++ {
		if b.name() == name {
			return b, true
		}
	}
	return 0, false
}

// printable returns a key as people can read it.
func (b bucket) printable(key []byte) string {
	if b == events && len(key) == 8 {
		return strconv.FormatUint(binary.BigEndian.Uint64(key), 10)
	}
	quoted := strconv.Quote(string(key))
	return quoted[1 : len(quoted)-1]
}

func eventKey(seq uint64) []byte { return binary.BigEndian.AppendUint64(nil, seq) }

// exitKey sorts by attempt within an id, and ids by "/", which no id contains.
func exitKey(ref executor.Ref) []byte { return fmt.Appendf(nil, "%s/%010d", ref.ID, ref.Attempt) }

// execKey sorts by attempt within an id, as exitKey does.
func execKey(ref executor.Ref) []byte { return append(exitKey(ref), "/"+ref.Exec...) }

// headerKey is the key of the header in the meta bucket.
var headerKey = []byte("header")

// header is written with every commit.
type header struct {
	Schema int `json:"schema"`
	// Commit is the number of the transaction that wrote the header. The meta page of
	// the commit has it too. A commit writes to the pages of the commit before the last
	// one. If a power failure leaves all of those as they were, the meta page refers to
	// an older commit, which is whole except that this number differs.
	Commit uint64 `json:"commit"`
	// HostID is made once in the life of a state directory.
	HostID string `json:"host_id"`
	// Epoch counts the opens.
	Epoch     uint64    `json:"epoch"`
	BootID    string    `json:"boot_id"`
	CreatedAt time.Time `json:"created_at"`
	// FirstEvent is the lowest sequence that is kept, NextEvent that of the next event.
	FirstEvent uint64 `json:"first_event"`
	NextEvent  uint64 `json:"next_event"`
	// Digests describe the buckets, in their order.
	Digests [bucketCount]digest `json:"digests"`
}

// records counts the records of all buckets.
func (h *header) records() (n int) {
	for _, d := range h.Digests {
		n += int(d.Count)
	}
	return n
}

// digest describes the contents of a bucket independent of order: the number of records
// and the sum of their checksums.
type digest struct {
	Count uint64 `json:"n"`
	Sum   uint64 `json:"sum"`
}

func (d *digest) add(value []byte)    { d.Count++; d.Sum += uint64(sum(value)) }
func (d *digest) remove(value []byte) { d.Count--; d.Sum -= uint64(sum(value)) }
