package minishim_test

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	taskapi "github.com/containerd/containerd/api/runtime/task/v3"
	"github.com/containerd/containerd/api/types/runc/options"
	tasktypes "github.com/containerd/containerd/api/types/task"
	"github.com/containerd/errdefs/pkg/errgrpc"
	"github.com/containerd/ttrpc"
	"github.com/davit-run/davit/executors/internal/quirks"
	"github.com/davit-run/davit/executors/shim/minishim"
	"github.com/davit-run/davit/host/rigs/realtest"
	"github.com/davit-run/davit/host/rigs/wait"
	"golang.org/x/sys/unix"
	"google.golang.org/protobuf/types/known/anypb"
)

func TestMain(m *testing.M) {
	minishim.Main()
	os.Exit(m.Run())
}

// rig is a shim with its bundle, and runc.
type rig struct {
	t       *testing.T
	id      string
	dir     string
	bundle  string
	rootfs  string
	runtime string
	process *os.Process
	tasks   taskapi.TTRPCTaskService
	ctx     context.Context
}

// newRig starts a shim for a container of a script. edit changes its spec.
func newRig(t *testing.T, script string, edit func(spec map[string]any)) *rig {
	t.Helper()
	runc, _ := exec.LookPath("runc")
	realtest.Need(t, runc)
	r := &rig{t: t, dir: realtest.Dir(t), rootfs: realtest.Rootfs(t), runtime: runc}
	r.id = "mini-" + filepath.Base(r.dir)
	r.bundle = filepath.Join(r.dir, "bundle")
	realtest.NothingLeft(t, filepath.Base(r.dir))
	var cancel context.CancelFunc
	r.ctx, cancel = context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)

	text := realtest.Spec(t, r.rootfs, map[string]any{"cgroupsPath": "/davit/" + r.id}, "/bin/sh", "-c", script)
	if edit != nil {
		var spec map[string]any
		if err := json.Unmarshal(text, &spec); err != nil {
			t.Fatal(err)
		}
		edit(spec)
		text, _ = json.Marshal(spec)
	}
	r.must(os.Mkdir(r.bundle, 0o700))
	r.must(os.WriteFile(filepath.Join(r.bundle, "config.json"), text, 0o600))
	for _, name := range []string{"out", "err", "exec"} {
		r.must(os.WriteFile(filepath.Join(r.dir, name), nil, 0o600))
	}
	r.startShim()
	return r
}

func (r *rig) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

// startShim starts the shim as the executor does.
func (r *rig) startShim() {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	r.must(err)
	ours, theirs := os.NewFile(uintptr(fds[0]), "shim"), os.NewFile(uintptr(fds[1]), "test")
	defer ours.Close()
	defer theirs.Close()
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), minishim.Env)
	cmd.ExtraFiles = []*os.File{theirs}
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	r.must(cmd.Start())
	r.process = cmd.Process
	conn, err := net.FileConn(ours)
	r.must(err)
	defer conn.Close()
	socket := filepath.Join(r.dir, "sock")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: socket, Net: "unix"})
	r.must(err)
	l.SetUnlinkOnClose(false)
	r.must(minishim.Assign(conn.(*net.UnixConn), minishim.Assignment{Bundle: r.bundle, Namespace: "ns"}, l))
	r.must(l.Close())
	server, err := net.Dial("unix", socket)
	r.must(err)
	client := ttrpc.NewClient(server)
	r.tasks = taskapi.NewTTRPCTaskClient(client)
	r.t.Cleanup(func() { r.end(cmd, client) })
}

// end removes the container and ends the shim.
func (r *rig) end(cmd *exec.Cmd, client *ttrpc.Client) {
	defer client.Close()
	if _, err := r.tasks.Kill(r.ctx, &taskapi.KillRequest{ID: r.id, Signal: uint32(unix.SIGKILL), All: true}); err == nil {
		_, _ = r.tasks.Wait(r.ctx, &taskapi.WaitRequest{ID: r.id})
	}
	_, _ = r.tasks.Delete(r.ctx, &taskapi.DeleteRequest{ID: r.id})
	_, _ = r.tasks.Shutdown(r.ctx, &taskapi.ShutdownRequest{ID: r.id})
	timer := time.AfterFunc(time.Minute, func() {
		r.t.Error("the shim does not end")
		_ = cmd.Process.Kill()
	})
	defer timer.Stop()
	_ = cmd.Wait()
}

// create creates the container. edit changes the request.
func (r *rig) create(edit func(*taskapi.CreateTaskRequest)) error {
	o, err := anypb.New(&options.Options{BinaryName: r.runtime, Root: filepath.Join(r.dir, "runc")})
	r.must(err)
	req := &taskapi.CreateTaskRequest{
		ID: r.id, Bundle: r.bundle, Options: o,
		Stdout: filepath.Join(r.dir, "out"), Stderr: filepath.Join(r.dir, "err"),
	}
	if edit != nil {
		edit(req)
	}
	_, err = r.tasks.Create(r.ctx, req)
	return errgrpc.ToNative(err)
}

func (r *rig) start(exec string) error {
	_, err := r.tasks.Start(r.ctx, &taskapi.StartRequest{ID: r.id, ExecID: exec})
	return errgrpc.ToNative(err)
}

// run starts a shim and the container of a script.
func run(t *testing.T, script string, edit func(spec map[string]any)) *rig {
	t.Helper()
	r := newRig(t, script, edit)
	r.must(r.create(nil))
	r.must(r.start(""))
	return r
}

func (r *rig) wait(exec string) int {
	r.t.Helper()
	resp, err := r.tasks.Wait(r.ctx, &taskapi.WaitRequest{ID: r.id, ExecID: exec})
	r.must(err)
	if resp.GetExitedAt() == nil {
		r.t.Errorf("wait %q: no time", exec)
	}
	return int(resp.GetExitStatus())
}

func (r *rig) kill(exec string, sig syscall.Signal) error {
	_, err := r.tasks.Kill(r.ctx, &taskapi.KillRequest{ID: r.id, ExecID: exec, Signal: uint32(sig)})
	return errgrpc.ToNative(err)
}

func (r *rig) delete(exec string) error {
	_, err := r.tasks.Delete(r.ctx, &taskapi.DeleteRequest{ID: r.id, ExecID: exec})
	return errgrpc.ToNative(err)
}

func (r *rig) pause() error {
	_, err := r.tasks.Pause(r.ctx, &taskapi.PauseRequest{ID: r.id})
	return errgrpc.ToNative(err)
}

// freeze pauses what runs, and tries for as long as the executor does.
func (r *rig) freeze() {
	r.t.Helper()
	begun := time.Now()
	err := r.pause()
	for err != nil && time.Since(begun) < quirks.FreezeFor {
		time.Sleep(quirks.FreezePause)
		err = r.pause()
	}
	r.must(err)
}

func (r *rig) resume() error {
	_, err := r.tasks.Resume(r.ctx, &taskapi.ResumeRequest{ID: r.id})
	return errgrpc.ToNative(err)
}

func (r *rig) state(exec string) *taskapi.StateResponse {
	r.t.Helper()
	resp, err := r.tasks.State(r.ctx, &taskapi.StateRequest{ID: r.id, ExecID: exec})
	r.must(err)
	return resp
}

func (r *rig) wantState(exec string, want tasktypes.Status) {
	r.t.Helper()
	if got := r.state(exec).GetStatus(); got != want {
		r.t.Errorf("state of %q: got %v, want %v", exec, got, want)
	}
}

// read returns the content of one of the files of the rig: out, err or exec.
func (r *rig) read(name string) string {
	r.t.Helper()
	b, err := os.ReadFile(filepath.Join(r.dir, name))
	r.must(err)
	return string(b)
}

// inside returns the content of a file of the container.
func (r *rig) inside(name string) string {
	b, _ := os.ReadFile(filepath.Join(r.rootfs, name))
	return strings.TrimSpace(string(b))
}

// until waits until a condition is true.
func (r *rig) until(what string, so func() bool) {
	r.t.Helper()
	wait.Until(r.t, what, so)
}

// ready waits for a line on stdout.
func (r *rig) ready(file, line string) {
	r.t.Helper()
	r.until("there is "+line, func() bool { return strings.Contains(r.read(file), line) })
}

func wantCode(t *testing.T, what string, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}
