package conformance

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/davit-run/davit/shared/plugin"
	"github.com/davit-run/davit/shared/transport"
	"github.com/hashicorp/go-hclog"
	goplugin "github.com/hashicorp/go-plugin"
	"github.com/hashicorp/go-plugin/runner"
)

// binaryWire returns a wire to target.Binary. Each start of it is a new process. dir
// receives its socket and log.
func binaryWire(target *Target, dir string) *wire {
	logFile := filepath.Join(dir, "log")
	return &wire{
		launch: func() (peer, error) { return startProgram(target, dir, logFile) },
		logged: func() string {
			logged, _ := os.ReadFile(logFile)
			return tailOf(logged)
		},
	}
}

// program is a running executor. It is a peer, and go-plugin's view of the process:
// go-plugin itself would parse stderr as a log, and would wait for the end of stdout,
// which children of the executor may keep open.
type program struct {
	cmd    *exec.Cmd
	stdout *os.File // read end
	client *goplugin.Client
	addr   net.Addr
	done   chan struct{} // closed when the process is reaped
}

var (
	_ runner.Runner = (*program)(nil)
	_ peer          = (*program)(nil)
)

func startProgram(target *Target, dir, logFile string) (*program, error) {
	p := &program{cmd: exec.Command(target.Binary), done: make(chan struct{})}
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	p.client = goplugin.NewClient(&goplugin.ClientConfig{
		HandshakeConfig:  transport.Handshake(),
		VersionedPlugins: transport.VersionedPlugins(transport.PluginSet(hclog.NewNullLogger(), nil)),
		Logger:           hclog.NewNullLogger(),
		SkipHostEnv:      true,
		StartTimeout:     target.Patience,
		UnixSocketConfig: &goplugin.UnixSocketConfig{TempDir: dir},
		RunnerFunc: func(_ hclog.Logger, spec *exec.Cmd, _ string) (runner.Runner, error) {
			p.cmd.Env = append(spec.Env, "PATH="+os.Getenv("PATH"), plugin.EnvLogLevel+"=debug")
			p.cmd.Env = append(p.cmd.Env, target.Env...)
			return p, p.redirect(logFile)
		},
	})
	addr, err := p.client.Start()
	if err != nil {
		p.client.Kill()
		return nil, fmt.Errorf("starting %s: %w", target.Binary, err)
	}
	p.addr = addr
	return p, nil
}

// redirect connects stderr of the process to a file, and stdout to a pipe for the
// handshake.
func (p *program) redirect(logFile string) error {
	stderr, err := os.OpenFile(logFile, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	ours, theirs, err := os.Pipe()
	if err != nil {
		_ = stderr.Close()
		return err
	}
	p.stdout, p.cmd.Stdout, p.cmd.Stderr = ours, theirs, stderr
	return nil
}

// Start implements runner.Runner.
func (p *program) Start(context.Context) error {
	err := p.cmd.Start()
	_ = p.cmd.Stdout.(*os.File).Close()
	_ = p.cmd.Stderr.(*os.File).Close()
	if err != nil {
		_ = p.stdout.Close()
		return err
	}
	go func() {
		_ = p.cmd.Wait()
		_ = p.stdout.SetReadDeadline(time.Now()) // ends go-plugin's reading, whoever else has the pipe open
		close(p.done)
	}()
	return nil
}

// Wait implements runner.Runner.
func (p *program) Wait(context.Context) error {
	<-p.done
	return p.stdout.Close()
}

// Kill implements runner.Runner.
func (p *program) Kill(context.Context) error {
	if err := p.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	return nil
}

// Stdout implements runner.Runner.
func (p *program) Stdout() io.ReadCloser { return p.stdout }

// Stderr implements runner.Runner. The process writes to a file.
func (p *program) Stderr() io.ReadCloser { return io.NopCloser(strings.NewReader("")) }

// Name implements runner.Runner.
func (p *program) Name() string { return p.cmd.Path }

// ID implements runner.Runner.
func (p *program) ID() string {
	if p.cmd.Process == nil {
		return ""
	}
	return strconv.Itoa(p.cmd.Process.Pid)
}

// Diagnose implements runner.Runner.
func (p *program) Diagnose(context.Context) string { return "is it an executor for this version?" }

// PluginToHost implements runner.Runner.
func (p *program) PluginToHost(network, addr string) (string, string, error) {
	return network, addr, nil
}

// HostToPlugin implements runner.Runner.
func (p *program) HostToPlugin(network, addr string) (string, string, error) {
	return network, addr, nil
}

func (p *program) dial(ctx context.Context) (net.Conn, error) {
	var d net.Dialer
	return d.DialContext(ctx, p.addr.Network(), p.addr.String())
}

func (p *program) killable() bool { return true }

func (p *program) end(ctx context.Context, asked bool) (err error) {
	if asked {
		select {
		case <-p.done:
		case <-ctx.Done():
			err = fmt.Errorf("the process did not end after its backend was closed: %w", context.Cause(ctx))
		}
	}
	if killErr := p.Kill(ctx); killErr != nil {
		return errors.Join(err, killErr)
	}
	<-p.done
	p.client.Kill() // nothing is left to kill: this ends go-plugin's goroutines
	return err
}
