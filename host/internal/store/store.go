package store

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	bolt "go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/linux"
)

// Options are the options of Open. The zero value means the defaults.
type Options struct {
	// KeepEvents bounds the journal; at times it holds an eighth more. 0 means
	// DefaultKeepEvents.
	KeepEvents int
	// LockTimeout is how long Open waits for another owner to go; 0 means 200 ms.
	LockTimeout time.Duration
	// BootID is for tests of what a reboot does; empty means the kernel's.
	BootID string
	// HostID is the host's id as it is known from elsewhere. It is used where neither the
	// store nor the file beside it has one. The store is then taken to be lost, not new.
	HostID string
	// Observer is told of commits and ends; nil means nobody.
	Observer Observer
}

// DefaultKeepEvents is the number of events that a journal keeps by default.
const DefaultKeepEvents = 10_000

// Info describes a store as Open found it.
type Info struct {
	// HostID is made once for a state directory and never changes. Backends mark what
	// belongs to this host with it.
	HostID string
	// Epoch is higher at each open.
	Epoch uint64
	// BootID is that of the kernel. Rebooted means that the store was last open under
	// another one, so that nothing that ran then can still run.
	BootID   string
	Rebooted bool
	// Damage is nil unless the store could not be used as it was.
	Damage *Damage
	// Behind is nil unless the store was missing or is an older one.
	Behind *Behind
}

// Incomplete reports whether records may be missing or old.
func (i Info) Incomplete() bool { return i.Damage != nil || i.Behind != nil }

// Store is an open store. Its methods are safe for concurrent use.
type Store struct {
	path     string
	info     Info
	keep     int
	observer Observer
	lock     *os.File
	mark     *os.File // nil until the store is open
	db       *bolt.DB
	file     *os.File // of db

	// dead is set when bbolt panicked with its locks held.
	dead atomic.Bool

	// head and broken belong to the committer, and to Open before it starts that.
	head   header
	broken error

	wake    chan struct{}
	quit    chan struct{}
	stopped chan struct{}

	mu      sync.Mutex
	queue   []*call
	closing bool
	changed chan struct{}
}

var errClosed = executor.Errorf(executor.Unavailable, "the host is closed")

// Open opens the store at a path, and makes one if there is none. The error is
// FailedPrecondition if another process owns it. A file that is damaged, or was written
// by a later version, is kept as NAME.damaged-TIME, the newest five of them. Open copies
// what is intact in a damaged one to the new store, and Info().Damage describes it.
func Open(path string, opts Options) (*Store, error) {
	if opts.KeepEvents <= 0 {
		opts.KeepEvents = DefaultKeepEvents
	}
	if opts.LockTimeout <= 0 {
		opts.LockTimeout = 200 * time.Millisecond
	}
	if opts.Observer == nil {
		opts.Observer = unobserved{}
	}
	lock, err := lock(path, opts.LockTimeout)
	if err != nil {
		return nil, err
	}
	s := &Store{
		path: path, keep: opts.KeepEvents, observer: opts.Observer, lock: lock,
		wake: make(chan struct{}, 1), quit: make(chan struct{}), stopped: make(chan struct{}),
		changed: make(chan struct{}),
	}
	if err := s.open(opts.BootID, opts.HostID); err != nil {
		if s.db != nil && !s.dead.Load() {
			_ = s.db.Close()
		}
		if s.mark != nil {
			_ = s.mark.Close()
		}
		_ = lock.Close()
		return nil, err
	}
	go s.committer()
	return s, nil
}

// open opens or makes the file and begins the next epoch.
func (s *Store) open(bootID, knownID string) error {
	if bootID == "" {
		var err error
		if bootID, err = linux.BootID(); err != nil {
			return executor.Errorf(executor.Unavailable, "store: %w", err)
		}
	}
	kept, err := keptHostID(s.path)
	if err != nil {
		return executor.Errorf(executor.Unavailable, "store %s: host id: %w", s.path, err)
	}
	in, err := s.inspectFile()
	reached := s.notice(in, err, kept != "" || knownID != "")
	switch {
	case errors.Is(err, os.ErrNotExist):
		err = s.replace(inspection{})
	case err != nil:
	case in.newer > 0 || len(in.problems) > 0:
		err = s.replace(in)
	default:
		s.head = *in.header
		err = s.openCompact(in)
	}
	if err != nil {
		return s.explain(executor.Errorf(executor.Unavailable, "store %s: %w", s.path, err))
	}
	before := cmp.Or(s.head.BootID, reached.BootID)
	s.head.BootID = bootID
	s.head.Epoch = s.nextEpoch(reached)
	if s.head.HostID, err = hostID(s.path, cmp.Or(s.head.HostID, kept, knownID), kept); err != nil {
		return s.explain(executor.Errorf(executor.Unavailable, "store %s: host id: %w", s.path, err))
	}
	_, err = s.transact(func(tx *Tx) error {
		tx.dirty = true // the header alone, or the journal too
		for _, name := range bucketNames[firstBuckets:] {
			if _, err := tx.bolt.CreateBucketIfNotExists([]byte(name)); err != nil {
				return err
			}
		}
		if s.info.Behind != nil {
			return tx.restartJournal()
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := s.openMark(); err != nil {
		return s.explain(executor.Errorf(executor.Unavailable, "store %s: %w", s.path, err))
	}
	s.info.HostID, s.info.Epoch, s.info.BootID = s.head.HostID, s.head.Epoch, s.head.BootID
	s.info.Rebooted = before != "" && before != s.head.BootID
	return nil
}

// inspectFile checks the file at path.
func (s *Store) inspectFile() (inspection, error) {
	f, err := linux.Open(s.path, os.O_RDONLY)
	if err != nil {
		return inspection{}, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return inspection{}, err
	}
	return inspect(f, st.Size()), nil
}

// openBolt opens a file that was checked, or makes one. If bbolt panics all the same, it
// returns the panic as an error.
func (s *Store) openBolt(path string) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("bbolt: %v", p)
		}
	}()
	s.db, err = bolt.Open(path, 0o600, &bolt.Options{
		Timeout:      100 * time.Millisecond, // the lock is ours already
		FreelistType: bolt.FreelistMapType,
		// A file that outgrows its mapping has to be mapped anew, which waits for all
		// readers. Address space costs nothing.
		InitialMmapSize: 1 << 30,
		// Commits are synced by transact, once.
		NoSync:       true,
		NoStatistics: true,
		OpenFile: func(name string, flag int, mode os.FileMode) (f *os.File, err error) {
			s.file, err = os.OpenFile(name, flag, mode)
			return s.file, err
		},
	})
	if err == nil {
		s.db.AllocSize = 1 << 20
	}
	return err
}

// begin starts a transaction of bbolt. It first checks the size of the file: one that was
// truncated below its meta pages would fault in the middle of that, with locks held.
func (s *Store) begin(writable bool) (tx *bolt.Tx, err error) {
	defer func() {
		if p := recover(); p != nil {
			s.dead.Store(true)
			tx, err = nil, executor.Errorf(executor.Unavailable, "store %s: panic: %v", s.path, p)
		}
	}()
	if st, err := s.file.Stat(); err == nil && st.Size() < 2*int64(os.Getpagesize()) {
		s.dead.Store(true)
	}
	if s.dead.Load() {
		return nil, executor.Errorf(executor.Unavailable, "store %s: it was damaged while it was open; restart the host", s.path)
	}
	tx, err = s.db.Begin(writable)
	if errors.Is(err, berrors.ErrDatabaseNotOpen) {
		return nil, errClosed
	}
	if err != nil {
		err = executor.Errorf(executor.Unavailable, "store %s: %w", s.path, err)
	}
	return tx, err
}

// Info returns what Open found.
func (s *Store) Info() Info { return s.info }

// View runs fn on a snapshot. fn must neither write nor use the Store.
func (s *Store) View(fn func(*Tx) error) error {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	btx, err := s.begin(false)
	if err != nil {
		return err
	}
	defer func() { _ = btx.Rollback() }()
	return guard(fn, &Tx{bolt: btx, keep: s.keep})
}

// Close commits what has queued up and closes the file. It waits for the
// transactions that run. Closing again does nothing.
func (s *Store) Close() error {
	s.mu.Lock()
	closing := s.closing
	s.closing = true
	s.mu.Unlock()
	if closing {
		<-s.stopped
		return nil
	}
	close(s.quit)
	<-s.stopped
	s.wakeFollowers()
	if s.dead.Load() {
		// Closing would wait for bbolt's locks. The descriptors go with the process.
		return executor.Errorf(executor.Unavailable, "store %s: it was damaged while it was open", s.path)
	}
	return errors.Join(s.db.Close(), s.mark.Close(), s.lock.Close())
}
