package api

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"iter"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/davit-run/davit/host/diag"
	"github.com/davit-run/davit/host/rigs/wait"
	"github.com/davit-run/davit/shared/executor"
)

// fake is a host of functions. Those that a test does not set are not called.
type fake struct {
	create   func(context.Context, ContainerOptions) (Container, error)
	run      func(context.Context, ContainerOptions, func(Container) error, Sink) (*End, error)
	attach   func(context.Context, string, LogOptions, Sink) (*End, error)
	inspect  func(string) (Container, error)
	list     func() ([]Container, error)
	wait     func(context.Context, string, int) (*End, error)
	start    func(context.Context, string) (Container, error)
	kill     func(context.Context, string, executor.Signal) error
	stop     func(context.Context, string, StopOptions) error
	remove   func(context.Context, string, bool) error
	logs     func(context.Context, string, LogOptions, Sink) error
	backends func() ([]BackendInfo, error)
	runtimes func(context.Context, string) ([]executor.RuntimeInfo, error)
	check    func(context.Context, string) (diag.Diagnostics, error)
	prune    func(context.Context, PruneOptions) (Pruned, error)
	pause    func(context.Context, string) error
	resume   func(context.Context, string) error
	strays   func(context.Context) ([]Stray, error)
	adopt    func(context.Context, string) (Container, error)
	discard  func(context.Context, string) error
	exec     func(context.Context, string, ExecOptions) (Exec, error)
	execs    func(string, string) ([]Exec, error)
	attached func(context.Context, string, Streams) (*End, error)
	events   func(context.Context, uint64) iter.Seq2[Event, error]
	archive  func(ctx context.Context, what string, w io.Writer, r io.Reader) error
	image    func(ctx context.Context, what string) ([]Image, error)
	volume   func(ctx context.Context, what string) ([]Volume, error)
	points   func(ctx context.Context, what string) ([]Checkpoint, error)
	network  func(ctx context.Context, what string) ([]Network, error)
	reload   func(context.Context) (Reload, error)
	oldest   uint64
	newest   uint64
}

func (f *fake) Strays(ctx context.Context) ([]Stray, error)                 { return f.strays(ctx) }
func (f *fake) AdoptStray(ctx context.Context, r string) (Container, error) { return f.adopt(ctx, r) }
func (f *fake) RemoveStray(ctx context.Context, r string) error             { return f.discard(ctx, r) }

func (f *fake) ReloadConfig(ctx context.Context) (Reload, error) { return f.reload(ctx) }

func (f *fake) ID() string { return "host-1" }
func (f *fake) Create(ctx context.Context, o ContainerOptions) (Container, error) {
	return f.create(ctx, o)
}
func (f *fake) RunAttached(ctx context.Context, o ContainerOptions, to Attachment) (*End, error) {
	return f.run(ctx, o, to.Started, to.Output)
}
func (f *fake) Attach(ctx context.Context, ref string, o LogOptions, sink Sink) (*End, error) {
	return f.attach(ctx, ref, o, sink)
}
func (f *fake) Inspect(ref string) (Container, error) { return f.inspect(ref) }
func (f *fake) List(opts ...ListOptions) ([]Container, error) {
	all, err := f.list()
	return Select(all, opts...), err
}
func (f *fake) WaitAttempt(ctx context.Context, ref string, attempt int) (*End, error) {
	return f.wait(ctx, ref, attempt)
}
func (f *fake) WaitFor(ctx context.Context, ref string, condition WaitCondition, attempt int) (*End, error) {
	return f.wait(ctx, string(condition)+" "+ref, attempt)
}
func (f *fake) Start(ctx context.Context, ref string) (Container, error) {
	return f.start(ctx, ref)
}
func (f *fake) Kill(ctx context.Context, ref string, sig executor.Signal) error {
	return f.kill(ctx, ref, sig)
}
func (f *fake) StopWith(ctx context.Context, ref string, o StopOptions) error {
	return f.stop(ctx, ref, o)
}
func (f *fake) RestartWith(ctx context.Context, ref string, o StopOptions) (Container, error) {
	return Container{ID: ref}, f.stop(ctx, ref, o)
}
func (f *fake) Rename(ctx context.Context, ref, name string) error {
	_, err := f.inspect(ref + " is " + name)
	return err
}
func (f *fake) RemoveWith(ctx context.Context, ref string, o RemoveOptions) error {
	if o.Volumes {
		ref += " with volumes"
	}
	return f.remove(ctx, ref, o.Force)
}
func (f *fake) Logs(ctx context.Context, ref string, o LogOptions, sink Sink) error {
	return f.logs(ctx, ref, o, sink)
}
func (f *fake) Backends() ([]BackendInfo, error) { return f.backends() }
func (f *fake) Runtimes(ctx context.Context, b string) ([]executor.RuntimeInfo, error) {
	return f.runtimes(ctx, b)
}
func (f *fake) BackendImages(_ context.Context, b string) ([]executor.Image, error) {
	return []executor.Image{{Name: "of " + b, Digest: "sha256:01"}}, nil
}
func (f *fake) Check(ctx context.Context, b string) (diag.Diagnostics, error) {
	return f.check(ctx, b)
}
func (f *fake) RestartBackend(ctx context.Context, b string) error {
	_, err := f.check(ctx, b)
	return err
}
func (f *fake) DiskUsage() (DiskUsage, error) {
	return DiskUsage{Containers: []ContainerUsage{{ID: "x", Bytes: 1, Lost: true}}}, nil
}
func (f *fake) Prune(ctx context.Context, o PruneOptions) (Pruned, error) { return f.prune(ctx, o) }
func (f *fake) Stats(ctx context.Context, ref string) (Stats, error) {
	return Stats{Stats: executor.Stats{PIDs: []int{len(ref)}}}, f.pause(ctx, ref)
}
func (f *fake) Processes(ctx context.Context, ref string) ([]Process, error) {
	return []Process{{PID: len(ref)}}, f.pause(ctx, ref)
}
func (f *fake) StatPath(ctx context.Context, ref, path string, follow bool) (PathInfo, error) {
	return PathInfo{Path: path, Type: TypeFile, Mode: 0o4755}, f.archive(ctx, fmt.Sprint("stat ", ref, path, follow), nil, nil)
}
func (f *fake) CopyFrom(ctx context.Context, ref string, o CopyFromOptions, w io.Writer) error {
	return f.archive(ctx, fmt.Sprint("from ", ref, o), w, nil)
}
func (f *fake) CopyTo(ctx context.Context, ref string, o CopyToOptions, r io.Reader) error {
	return f.archive(ctx, fmt.Sprint("to ", ref, o), nil, r)
}
func (f *fake) Export(ctx context.Context, ref string, w io.Writer) error {
	return f.archive(ctx, "export "+ref, w, nil)
}
func (f *fake) Diff(ctx context.Context, ref string) ([]Change, error) {
	return []Change{{Path: "/" + ref, Kind: ChangeAdded}}, f.pause(ctx, ref)
}
func (f *fake) Commit(ctx context.Context, ref string, o CommitOptions) (Image, error) {
	return Image{ID: fmt.Sprint(ref, o)}, nil
}
func (f *fake) Update(ctx context.Context, ref string, o UpdateOptions) error {
	restart := ""
	if o.Restart != nil {
		restart = *o.Restart
	}
	return f.pause(ctx, fmt.Sprint(ref, o.Limits, restart))
}
func (f *fake) WriteMetrics(_ context.Context, w io.Writer) error {
	_, err := io.WriteString(w, "up 1\n")
	return err
}
func (f *fake) Live(context.Context) (Liveness, error) {
	return Liveness{Problem: "the disk is full"}, nil
}
func (f *fake) Ready(_ context.Context, names []string) (Readiness, error) {
	if len(names) > 1 {
		return Readiness{}, executor.Errorf(executor.Unavailable, "no")
	}
	return Readiness{Ready: len(names) == 0, Backends: []BackendReadiness{{Name: strings.Join(names, ",")}}}, nil
}
func (f *fake) Profile(ctx context.Context, name string, o ProfileOptions, w io.Writer) error {
	return f.archive(ctx, fmt.Sprint(name, " ", o), w, nil)
}
func (f *fake) Pause(ctx context.Context, ref string) error  { return f.pause(ctx, ref) }
func (f *fake) Resume(ctx context.Context, ref string) error { return f.resume(ctx, ref) }
func (f *fake) Exec(ctx context.Context, ref string, o ExecOptions) (Exec, error) {
	return f.exec(ctx, ref, o)
}
func (f *fake) Execs(ref string) ([]Exec, error) { return f.execs(ref, "") }
func (f *fake) InspectExec(ref, exec string) (Exec, error) {
	all, err := f.execs(ref, exec)
	if err != nil || len(all) == 0 {
		return Exec{}, cmp.Or(err, error(executor.Errorf(executor.NotFound, "no exec %q", exec)))
	}
	return all[0], nil
}
func (f *fake) WaitExec(ctx context.Context, ref, exec string) (*End, error) {
	return f.wait(ctx, ref+"/"+exec, 0)
}
func (f *fake) KillExec(ctx context.Context, ref, exec string, sig executor.Signal) error {
	return f.kill(ctx, ref+"/"+exec, sig)
}
func (f *fake) ExecLogs(ctx context.Context, ref, exec string, o LogOptions, sink Sink) error {
	return f.logs(ctx, ref+"/"+exec, o, sink)
}
func (f *fake) ExecAttached(ctx context.Context, ref string, o ExecOptions, to Streams) (*End, error) {
	return f.attached(ctx, ref+" "+strings.Join(o.Args, " "), to)
}
func (f *fake) AttachStreams(ctx context.Context, ref string, _ AttachOptions, to Streams) (*End, error) {
	return f.attached(ctx, ref, to)
}
func (f *fake) RunStreams(ctx context.Context, o ContainerOptions, _ string, to Streams) (*End, error) {
	return f.attached(ctx, o.Rootfs, to)
}
func (f *fake) Events(ctx context.Context, after uint64) iter.Seq2[Event, error] {
	return f.events(ctx, after)
}
func (f *fake) EventCursors() (uint64, uint64, error) { return f.oldest, f.newest, nil }

func (f *fake) Images() ([]Image, error) { return f.image(context.Background(), "list") }
func (f *fake) InspectImage(ref string) (ImageDetails, error) {
	_, err := f.image(context.Background(), "inspect "+ref)
	return ImageDetails{Image: Image{ID: ref}}, err
}
func (f *fake) ImageHistory(ref string) ([]ImageStep, error) {
	_, err := f.image(context.Background(), "history "+ref)
	return []ImageStep{{CreatedBy: ref}}, err
}
func (f *fake) CheckImage(ctx context.Context, ref string, repair bool) (ImageCheck, error) {
	_, err := f.image(ctx, fmt.Sprint("check ", ref, " ", repair))
	return ImageCheck{Problems: []ImageProblem{{Text: ref, Repaired: repair}}}, err
}
func (f *fake) LoadImages(ctx context.Context, r io.Reader, o LoadOptions, progress func(Progress)) ([]Image, error) {
	progress(Progress{Step: StepRead, Done: 1})
	text, err := io.ReadAll(io.LimitReader(r, 10))
	if err != nil {
		return nil, err
	}
	return f.image(ctx, fmt.Sprint("load ", o, " ", string(text)))
}
func (f *fake) ImportImage(ctx context.Context, r io.Reader, o ImportOptions, progress func(Progress)) (Image, error) {
	images, err := f.LoadImages(ctx, r, LoadOptions{Platform: fmt.Sprint(o)}, progress)
	if err != nil || len(images) == 0 {
		return Image{}, err
	}
	return images[0], nil
}
func (f *fake) SaveImages(ctx context.Context, refs []string, w io.Writer) error {
	if _, err := f.image(ctx, fmt.Sprint("save ", refs)); err != nil {
		return err
	}
	_, err := io.WriteString(w, "archive")
	return err
}
func (f *fake) PullImage(ctx context.Context, name string, o PullOptions, progress func(Progress)) (Image, error) {
	progress(Progress{Step: StepFetch})
	_, err := f.image(ctx, fmt.Sprint("pull ", name, o))
	return Image{ID: name}, err
}
func (f *fake) PushImage(ctx context.Context, name string, progress func(Progress)) (Image, error) {
	progress(Progress{Step: StepPush})
	_, err := f.image(ctx, "push "+name)
	return Image{ID: name}, err
}
func (f *fake) Login(ctx context.Context, creds Credentials) (LoggedIn, error) {
	_, err := f.image(ctx, fmt.Sprint("login ", creds))
	return LoggedIn{Registry: creds.Registry}, err
}
func (f *fake) Logout(ctx context.Context, registry string) (string, error) {
	_, err := f.image(ctx, "logout "+registry)
	return registry, err
}
func (f *fake) RemoveImage(ctx context.Context, ref string, force bool) (RemovedImage, error) {
	_, err := f.image(ctx, fmt.Sprint("remove ", ref, force))
	return RemovedImage{ID: ref, Removed: true}, err
}
func (f *fake) TagImage(ctx context.Context, ref, name string) error {
	_, err := f.image(ctx, "tag "+ref+" "+name)
	return err
}
func (f *fake) PruneImages(ctx context.Context, o PruneImagesOptions) (PrunedImages, error) {
	images, err := f.image(ctx, fmt.Sprint("prune ", o))
	return PrunedImages{Images: images}, err
}

func (f *fake) Networks() ([]Network, error) { return f.network(context.Background(), "list") }
func (f *fake) CheckNetworks() (diag.Diagnostics, error) {
	_, err := f.network(context.Background(), "check")
	return diag.Diagnostics{{Message: "closed"}}, err
}
func (f *fake) InspectNetwork(name string) (Network, error) {
	_, err := f.network(context.Background(), "inspect "+name)
	return Network{Name: name}, err
}
func (f *fake) CreateNetwork(ctx context.Context, o NetworkOptions) (Network, error) {
	_, err := f.network(ctx, fmt.Sprint("create ", o))
	return Network{Name: o.Name}, err
}
func (f *fake) ConnectNetwork(ctx context.Context, network, container string, o ConnectOptions) error {
	_, err := f.network(ctx, fmt.Sprint("connect ", network, " ", container, " ", o))
	return err
}
func (f *fake) DisconnectNetwork(ctx context.Context, network, container string, o DisconnectOptions) error {
	_, err := f.network(ctx, fmt.Sprint("disconnect ", network, " ", container, " ", o))
	return err
}
func (f *fake) RemoveNetwork(ctx context.Context, name string) error {
	_, err := f.network(ctx, "remove "+name)
	return err
}
func (f *fake) PruneNetworks(ctx context.Context, o PruneNetworksOptions) ([]Network, error) {
	return f.network(ctx, fmt.Sprint("prune ", o))
}

func (f *fake) Volumes() ([]Volume, error) { return f.volume(context.Background(), "list") }
func (f *fake) InspectVolume(name string) (Volume, error) {
	_, err := f.volume(context.Background(), "inspect "+name)
	return Volume{Name: name}, err
}
func (f *fake) CreateVolume(ctx context.Context, o VolumeOptions) (Volume, error) {
	_, err := f.volume(ctx, fmt.Sprint("create ", o))
	return Volume{Name: o.Name}, err
}
func (f *fake) RemoveVolume(ctx context.Context, name string) error {
	_, err := f.volume(ctx, "remove "+name)
	return err
}
func (f *fake) PruneVolumes(ctx context.Context, o PruneVolumesOptions) (PrunedVolumes, error) {
	all, err := f.volume(ctx, fmt.Sprint("prune ", o))
	return PrunedVolumes{Volumes: all}, err
}

func (f *fake) CreateCheckpoint(ctx context.Context, ref string, o CheckpointOptions) (Checkpoint, error) {
	_, err := f.points(ctx, fmt.Sprint("create ", ref, " ", o))
	return Checkpoint{Name: o.Name, LeftRunning: o.LeaveRunning}, err
}
func (f *fake) Checkpoints(ref string) ([]Checkpoint, error) {
	return f.points(context.Background(), "list "+ref)
}
func (f *fake) RemoveCheckpoint(ctx context.Context, ref, name string) error {
	_, err := f.points(ctx, "remove "+ref+" "+name)
	return err
}
func (f *fake) StartCheckpoint(ctx context.Context, ref, name string) (Container, error) {
	_, err := f.points(ctx, "start "+ref+" "+name)
	return Container{ID: ref, RestoredFrom: name}, err
}

// shortDir returns a directory with a path that leaves room for sockets.
func shortDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "dv")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		// A host that is about to end may make its socket again meanwhile.
		if !wait.Holds(func() bool { return os.RemoveAll(dir) == nil }) {
			t.Errorf("%s cannot be removed", dir)
		}
	})
	return dir
}

// socketIn returns where the host of a run directory listens.
func socketIn(dir string) Socket {
	return Socket{Path: filepath.Join(dir, "davit.sock"), RunDir: dir}
}

// serveFake serves f and returns a client of it, and a function that stops serving.
func serveFake(t testing.TB, f *fake) (*Client, func() error) {
	t.Helper()
	dir := shortDir(t)
	l, err := Listen(socketIn(dir))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- serve(ctx, l, newHandler(f, Options{Version: Version{Version: "1.2.3"}})) }()
	stop := sync.OnceValue(func() error {
		cancel()
		return <-done
	})
	c := NewClient(filepath.Join(dir, "davit.sock"))
	c.http.Transport = recorded(c.http.Transport)
	t.Cleanup(func() {
		c.Close()
		if err := stop(); err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	return c, stop
}

// An answer is what a client that knows nothing of this package sees.
type answer struct {
	status int
	header http.Header
	body   string
}

// raw makes a request as it stands.
func raw(t *testing.T, c *Client, method, path, body string) answer {
	t.Helper()
	req, err := http.NewRequest(method, "http://davit"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{DialContext: c.dial, DisableKeepAlives: true}
	resp, err := recorded(transport).RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header, string(text)}
}
