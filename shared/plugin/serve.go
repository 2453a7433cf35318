package plugin

import (
	"context"
	"fmt"
	"log"
	"net"
	"os"
	"os/signal"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/linux"
	"github.com/davit-run/davit/shared/transport"
	"github.com/hashicorp/go-hclog"
	goplugin "github.com/hashicorp/go-plugin"
)

// EnvLogLevel is the environment variable with the level at which a host wants an
// executor to log, an hclog level name.
const EnvLogLevel = "DAVIT_LOG_LEVEL"

// closeTimeout bounds Backend.Close on SIGTERM.
const closeTimeout = 30 * time.Second

// hangUpTimeout is how long a closed executor waits for its host to hang up.
const hangUpTimeout = 2 * time.Second

// Serve runs e until the host asks the process to end. It is an executor's whole
// main: it reads the command line, and returns when the process should exit. If a
// person started the program, it prints what the program is.
func Serve(e executor.Executor) {
	handshake := transport.Handshake()
	if os.Getenv(handshake.MagicCookieKey) != handshake.MagicCookieValue {
		introduce(e)
	}
	if err := keepDescriptors(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	signal.Ignore(syscall.SIGPIPE, syscall.SIGHUP)

	logger := hclog.New(&hclog.LoggerOptions{
		Level:      hclog.LevelFromString(os.Getenv(EnvLogLevel)),
		Output:     &boundedLog{file: os.Stderr},
		JSONFormat: true,
	})
	log.SetOutput(logger.StandardWriter(&hclog.StandardLoggerOptions{InferLevels: true}))
	log.SetFlags(0)
	server := NewServer(e, logger)
	server.program = true
	go server.closeOnSignal(syscall.SIGTERM)
	go server.exitWhenClosed()
	var once sync.Once
	goplugin.Serve(&goplugin.ServeConfig{
		HandshakeConfig: handshake,
		Logger:          logger,
		VersionedPlugins: transport.VersionedPlugins(transport.PluginSet(logger, func(conn *transport.Conn) transport.Handlers {
			once.Do(func() {
				if err := printToLog(); err != nil {
					logger.Warn("what is printed does not go to the log", "error", err)
				}
			})
			return server.session(conn)
		})),
	})
}

// ServeConn serves one connection to e within this process. It returns when the
// connection ends. Tests and hosts with a built-in executor use it.
func ServeConn(conn net.Conn, s *Server) {
	transport.Serve(conn, transport.PluginSet(s.logger, s.session))
}

// introduce prints what the program is, for a person who started it, and exits.
func introduce(e executor.Executor) {
	about := fmt.Sprintf("davit-executor-%s %s (protocol %d)", e.Name, e.Version, transport.ProtocolVersion)
	if len(os.Args) == 2 && (os.Args[1] == "--version" || os.Args[1] == "-v") {
		fmt.Println(about)
		os.Exit(0)
	}
	fmt.Fprintf(os.Stderr, "%s is a plugin. It is started by a davit host: name it in a\nbackend block (executor = %q) of the host's config.\n", about, e.Name)
	os.Exit(1)
}

// keepDescriptors makes sure that children do not inherit the descriptors from the
// host. One of these has a lock for as long as the process lives, by which the host
// knows that it lives. A child that outlived the process would keep the lock, too.
func keepDescriptors() error {
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return err
	}
	for _, entry := range fds {
		if fd, err := strconv.Atoi(entry.Name()); err == nil && fd > 2 {
			syscall.CloseOnExec(fd)
		}
	}
	return nil
}

// closeOnSignal ends the process in good order when a signal arrives.
func (s *Server) closeOnSignal(sig os.Signal) {
	ch := make(chan os.Signal, 1)
	signal.Notify(ch, sig)
	<-ch
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	if err := s.close(ctx); err != nil {
		s.logger.Error("closing the backend failed", "error", err)
	}
}

// exitWhenClosed ends the process once the backend is closed and the host that asked
// for it has its answer. A host hangs up then. The cgroup goes too: there may be no host
// to remove it.
func (s *Server) exitWhenClosed() {
	<-s.done
	s.mu.Lock()
	conn := s.current
	s.mu.Unlock()
	if conn != nil {
		select {
		case <-conn.Done():
		case <-time.After(hangUpTimeout):
		}
	}
	s.mu.Lock()
	env := s.env
	s.mu.Unlock()
	if env != nil { // else it was only asked what it is
		linux.LeaveCgroup(env.CgroupName())
	}
	os.Exit(0)
}
