package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"

	"github.com/davit-run/davit/shared/linux"
	"github.com/miekg/dns"
	"golang.org/x/sys/unix"
)

// Port is the one at which it is asked, at the gateways. Rules lead what is sent to port 53
// there, which may be somebody else's.
const Port = 53053

// User and group of a resolver, if root starts it: those who own nothing. They may read the
// file with zones.
const User = 65534

// envRole is the environment variable of a process that is a resolver.
const envRole = "DAVIT_RESOLVER"

// Tied is the value of the variable for one that ends with its input.
const tied = "tied"

// LockFile is the name of the lock of a directory.
const LockFile = "lock"

// Files are what a resolver inherits.
type Files struct{ Input, Report, Log, Lock *os.File }

// Command returns the command of a resolver with a working directory. One that is tied ends
// when its input does.
func Command(dir string, isTied bool, files Files) *exec.Cmd {
	cmd := exec.Command("/proc/self/exe") // also after its file was replaced
	cmd.Args = []string{"davit-resolver", dir}
	cmd.Dir = dir
	role := "1"
	if isTied {
		role = tied
	}
	cmd.Env = []string{envRole + "=" + role, "GOGC=25"}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = files.Input, files.Report, files.Log
	cmd.ExtraFiles = []*os.File{files.Lock}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	return cmd
}

// init runs a resolver: before main, and before the packages are initialized that only the
// host needs.
func init() { //nolint:gochecknoinits // for that reason
	role := os.Getenv(envRole)
	if role == "" {
		return
	}
	if err := run(role == tied); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

const (
	inputFD  = 0
	reportFD = 1
	lockFD   = 3
)

const (
	// lookTime is the pause between two looks at the file, if nobody asks.
	lookTime = time.Minute
	// lingerTime is how long there may be nobody who could ask.
	lingerTime = 10 * time.Second
)

// resolver is what a process serves.
type resolver struct {
	source   *source
	forwards chan struct{}
	upstream string // the port of other servers
	// sockets are where it is asked, by the address.
	sockets map[netip.Addr][]*dns.Server
	// said has what was logged of addresses that cannot be had.
	said map[netip.Addr]string
}

// newResolver returns a resolver that answers what a file says, and asks others at a port.
func newResolver(path, upstream string) *resolver {
	return &resolver{
		source:   &source{path: path},
		forwards: make(chan struct{}, maxForwards), upstream: upstream, sockets: map[netip.Addr][]*dns.Server{}, said: map[netip.Addr]string{},
	}
}

// run is a resolver's life. Its working directory is its own.
func run(isTied bool) error {
	if err := unix.CloseRange(lockFD, math.MaxInt32, unix.CLOSE_RANGE_CLOEXEC); err != nil {
		return fmt.Errorf("keep descriptors: %w", err)
	}
	signal.Ignore(unix.SIGINT, unix.SIGPIPE)
	if err := leaveRoot(); err != nil {
		return fmt.Errorf("become user %d: %w", User, err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGTERM)
	defer stop()
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, unix.SIGHUP)
	if isTied {
		go func() {
			_, _ = io.Copy(io.Discard, os.NewFile(inputFD, "input"))
			os.Exit(0) // who started it is gone
		}()
	}
	r := newResolver(ZonesFile, "53")
	defer r.listen(nil)
	used := time.Now()
	for first := true; ; first = false {
		zones, err := r.source.now()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if zones == nil {
			return err
		}
		r.listen(zones.Networks)
		if first {
			if err := report(); err != nil {
				return err
			}
			linux.Shrink()
		}
		wait := lookTime
		if len(zones.Clients) > 0 {
			used = time.Now()
		} else if wait = lingerTime - time.Since(used); wait <= 0 {
			return nil
		}
		select {
		case <-hup:
		case <-time.After(wait):
		case <-ctx.Done():
			return nil
		}
	}
}

// leaveRoot gives up what only root may do: what it reads comes from containers.
func leaveRoot() error {
	if os.Geteuid() != 0 {
		return nil
	}
	err := syscall.Setgroups(nil)
	if err == nil {
		err = syscall.Setgid(User)
	}
	if err == nil {
		err = syscall.Setuid(User)
	}
	if err != nil {
		return err
	}
	return errors.Join(
		unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0),
		unix.Prctl(unix.PR_SET_DUMPABLE, 1, 0, 0, 0), // or its /proc would be root's
	)
}

// report says that it serves.
func report() error {
	f := os.NewFile(reportFD, "report")
	if _, err := fmt.Fprintln(f, "serving"); err != nil && !errors.Is(err, unix.EPIPE) {
		return fmt.Errorf("report: %w", err)
	}
	// The descriptor stays one, so that no other file becomes the program's stdout.
	null, err := unix.Open(os.DevNull, unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	return errors.Join(unix.Dup3(null, reportFD, 0), unix.Close(null))
}

// listen listens at the gateways of networks, and nowhere else. What cannot be had is tried
// again at the next call.
func (r *resolver) listen(networks []Network) {
	wanted := map[netip.Addr]bool{}
	for _, n := range networks {
		for _, a := range n.Gateways {
			wanted[a] = true
		}
	}
	for a, servers := range r.sockets {
		if !wanted[a] {
			for _, s := range servers {
				_ = s.Shutdown()
			}
			delete(r.sockets, a)
		}
	}
	for a := range wanted {
		if r.sockets[a] != nil {
			continue
		}
		servers, err := r.serve(a)
		if err != nil {
			if text := err.Error(); r.said[a] != text { // a log has an end
				r.said[a] = text
				fmt.Fprintf(os.Stderr, "address %s: %s\n", a, text)
			}
			continue
		}
		r.sockets[a] = servers
	}
}

// serve answers at an address, which the machine need not have yet.
func (r *resolver) serve(a netip.Addr) ([]*dns.Server, error) {
	config := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) (err error) {
		cerr := raw.Control(func(fd uintptr) {
			if a.Is4() {
				err = unix.SetsockoptInt(int(fd), unix.SOL_IP, unix.IP_FREEBIND, 1)
			} else {
				err = unix.SetsockoptInt(int(fd), unix.SOL_IPV6, unix.IPV6_FREEBIND, 1)
			}
		})
		return errors.Join(cerr, err)
	}}
	address := netip.AddrPortFrom(a, Port).String()
	conn, err := config.ListenPacket(context.Background(), udp, address)
	if err != nil {
		return nil, err
	}
	l, err := config.Listen(context.Background(), tcp, address)
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	servers := []*dns.Server{
		{PacketConn: conn, Handler: r, UDPSize: dns.DefaultMsgSize},
		{Listener: l, Handler: r, MaxTCPQueries: -1},
	}
	for _, s := range servers {
		started := make(chan struct{})
		s.NotifyStartedFunc = func() { close(started) }
		go func() { _ = s.ActivateAndServe() }() // until its Shutdown
		<-started
	}
	return servers, nil
}
