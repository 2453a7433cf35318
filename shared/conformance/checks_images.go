package conformance

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"

	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/transport"
)

var _ = register(170, transport.MethodImageList.Name,
	Check{Name: "images", Capability: executor.CapImages, run: checkImages,
		Duty: "Images lists each image with its name and digest, and no config.",
		Hint: "List what the daemon has in the namespace of the backend's images."},
	Check{Name: "image", Method: transport.MethodImage.Name, Capability: executor.CapImages, run: checkImage,
		Duty: "Image returns an image by its name, with a config that is a JSON object; one that is not there is NotFound.",
		Hint: "Read the manifest for this platform, and pass the config on as it is."},
	Check{Name: "root", Method: transport.MethodRootPrepare.Name, Capability: executor.CapImages, run: checkRoot,
		Duty: "PrepareRoot makes a root file system once: repeated, with or without the digest, it returns the same, with what was written to it.",
		Hint: "Look for the one that the container has before you make one; name it by the container's id."},
	Check{Name: "root-unknown", Method: transport.MethodRootPrepare.Name, Capability: executor.CapImages, run: checkRootUnknown,
		Duty: "PrepareRoot from an image that is not there, or from none for a container without a root file system, is NotFound, and leaves nothing.",
		Hint: "An empty digest asks for what must be there: never make an empty one in its place. Undo what was made before the failure."},
	Check{Name: "root-run", Method: transport.MethodRootPrepare.Name, Capability: executor.CapImages, run: checkRootRun,
		Duty: "Attempts run on the root file system whose path their spec has, and it keeps what is written over attempts and Delete.",
		Hint: "Compare root.path with the path that PrepareRoot returns for the id; Delete is about the attempt alone."},
	Check{Name: "root-list", Method: transport.MethodRootList.Name, Capability: executor.CapImages, run: checkRootList,
		Duty: "Roots lists the root file systems of this host and backend, also after the executor's death, and they keep their content over that.",
		Hint: "Mark them with HostID and Backend where they are kept, and list them from there."},
	Check{Name: "root-remove", Method: transport.MethodRootRemove.Name, Capability: executor.CapImages, run: checkRootRemove,
		Duty: "RemoveRoot removes a root file system with its content; repeated, it changes nothing.",
		Hint: "What keeps it from the daemon's garbage collection goes last, so that a removal that was interrupted is found again."},
	Check{Name: "root-used", Method: transport.MethodRootRemove.Name, Capability: executor.CapImages, run: checkRootUsed,
		Duty: "RemoveRoot is FailedPrecondition while the backend knows an attempt of the container.",
		Hint: "Look for a record of an attempt first."},
)

// images opens a subject, and returns the image of the target.
func (t *trial) images() (*subject, executor.Image) {
	if t.target.Image == "" {
		t.skipf("the target names no image that the backend has")
	}
	s := t.open()
	image, err := do(t.ctx, s, transport.MethodImage, t.target.Image)
	t.must(err, "Image of %s", t.target.Image)
	return s, image
}

// root prepares the root file system of a container. The trial ends if the host cannot reach
// what is in it.
func (s *subject) root(id, digest string) string {
	root, err := do(s.t.ctx, s, transport.MethodRootPrepare, transport.RootRequest{ID: id, Digest: digest})
	s.t.must(err, "PrepareRoot of %s", id)
	if root.Problem != "" {
		s.t.skipf("%s is not reached here: %s", root.Path, root.Problem)
	}
	if info, err := os.Stat(root.Path); err != nil || !info.IsDir() {
		s.t.fatalf("PrepareRoot returns %s, which is no directory: %v", root.Path, err)
	}
	return root.Path
}

// unroot removes the root file system of a container.
func (s *subject) unroot(id string) {
	_, err := do(s.t.ctx, s, transport.MethodRootRemove, id)
	s.t.must(err, "RemoveRoot of %s", id)
}

func (s *subject) roots() []string {
	ids, err := do(s.t.ctx, s, transport.MethodRootList, transport.None{})
	s.t.must(err, "Roots")
	slices.Sort(ids)
	return ids
}

func (s *subject) wantRoots(when string, want ...string) {
	if got := s.roots(); !slices.Equal(got, want) {
		s.t.errorf("%s, Roots returns %q, want %q", when, got, want)
	}
}

// note writes a file into a root file system, and wantNote reads it.
func (t *trial) note(root string) {
	t.must(os.WriteFile(filepath.Join(root, "note"), []byte(t.token), 0o600), "writing to a root file system")
}

func (t *trial) wantNote(root, when string) {
	if text, err := os.ReadFile(filepath.Join(root, "note")); err != nil || string(text) != t.token {
		t.errorf("%s, a file that was written to the root file system reads %q, %v", when, text, err)
	}
}

func checkImages(t *trial) {
	s, image := t.images()
	all, err := do(t.ctx, s, transport.MethodImageList, transport.None{})
	t.must(err, "Images")
	i := slices.IndexFunc(all, func(listed executor.Image) bool { return listed.Name == image.Name })
	switch {
	case i < 0:
		t.errorf("Images does not list %s", image.Name)
	case all[i].Digest != image.Digest:
		t.errorf("Images lists %s with the digest %s, and Image returns %s", image.Name, all[i].Digest, image.Digest)
	case len(all[i].Config) != 0:
		t.errorf("Images lists %s with its config", image.Name)
	}
}

func checkImage(t *trial) {
	s, image := t.images()
	var config map[string]json.RawMessage
	if err := json.Unmarshal(image.Config, &config); err != nil || config == nil {
		t.errorf("the config of %s is %q, no JSON object", image.Name, image.Config)
	}
	if image.ID == "" {
		t.errorf("%s has no id", image.Name)
	}
	_, err := do(t.ctx, s, transport.MethodImage, "example.invalid/no/such-image:"+t.token)
	t.wantCode(err, "Image of one that is not there", executor.NotFound)
}

func checkRoot(t *trial) {
	s, image := t.images()
	id := "cf-" + t.token
	path := s.root(id, image.Digest)
	t.note(path)
	for _, digest := range []string{image.Digest, ""} {
		if again := s.root(id, digest); again != path {
			t.errorf("PrepareRoot of %s with the digest %q returns %s, and did return %s", id, digest, again, path)
		}
		t.wantNote(path, "after a repeated PrepareRoot")
	}
	s.unroot(id)
}

func checkRootUnknown(t *trial) {
	s, image := t.images()
	const absent = "sha256:0000000000000000000000000000000000000000000000000000000000000000"
	for _, digest := range []string{absent, ""} {
		_, err := do(t.ctx, s, transport.MethodRootPrepare, transport.RootRequest{ID: "cf-" + t.token, Digest: digest})
		t.wantCode(err, "PrepareRoot with the digest "+digest, executor.NotFound)
	}
	s.wantRoots("after a PrepareRoot that failed")
	id := "cf2-" + t.token
	path := s.root(id, image.Digest)
	t.note(path)
	_, err := do(t.ctx, s, transport.MethodRootPrepare, transport.RootRequest{ID: id, Digest: absent})
	t.must(err, "PrepareRoot with another digest, of a container that has a root file system")
	t.wantNote(path, "after a PrepareRoot with another digest")
	s.unroot(id)
}

// onRoot prepares a workload on a root file system from an image.
func (t *trial) onRoot(s *subject, digest string, w *workload) (path string) {
	path = s.root(w.Ref.ID, digest)
	var spec map[string]any
	t.must(json.Unmarshal(w.Spec, &spec), "reading a spec")
	if _, has := spec["root"]; has {
		spec["root"] = map[string]any{"path": path}
	}
	var err error
	w.Spec, err = json.Marshal(spec)
	t.must(err, "writing a spec")
	return path
}

func checkRootRun(t *trial) {
	s, image := t.images()
	w := t.workload(s, Step{Action: Exit, N: 7})
	t.note(t.onRoot(s, image.Digest, w))
	s.create(w)
	s.wantExit(w, 7)
	s.released(w)
	w = w.next(s, Step{Action: Exit, N: 8})
	t.wantNote(t.onRoot(s, "", w), "after the first attempt")
	s.create(w)
	s.wantExit(w, 8)
	s.released(w)
	t.must(s.Delete(w.Ref), "Delete of the second attempt")
	t.wantNote(s.root(w.Ref.ID, ""), "after Delete")
	s.unroot(w.Ref.ID)
}

func checkRootList(t *trial) {
	s, image := t.images()
	first, second := "cf-1-"+t.token, "cf-2-"+t.token
	t.note(s.root(first, image.Digest))
	s.root(second, image.Digest)
	s.wantRoots("after PrepareRoot", first, second)
	s.kill()
	s.start()
	s.wantRoots("after the executor's death", first, second)
	t.wantNote(s.root(first, ""), "after the executor's death")
	other := t.openAs(s.env.HostID, "two")
	other.wantRoots("of another backend")
	other.close()
	s.unroot(first)
	s.unroot(second)
	s.wantRoots("after RemoveRoot")
}

func checkRootRemove(t *trial) {
	s, image := t.images()
	id := "cf-" + t.token
	path := s.root(id, image.Digest)
	t.note(path)
	s.unroot(id)
	s.unroot(id)
	if _, err := os.Stat(filepath.Join(path, "note")); err == nil {
		t.errorf("after RemoveRoot, %s has what was written to it", path)
	}
	s.wantRoots("after RemoveRoot")
	if path = s.root(id, image.Digest); path != "" {
		if _, err := os.Stat(filepath.Join(path, "note")); err == nil {
			t.errorf("a root file system that is made anew has what was written to the one before")
		}
	}
	s.unroot(id)
}

func checkRootUsed(t *trial) {
	s, image := t.images()
	w := t.workload(s, untilGo, Step{Action: Exit, N: 7})
	t.onRoot(s, image.Digest, w)
	s.create(w)
	_, err := do(t.ctx, s, transport.MethodRootRemove, w.Ref.ID)
	t.wantCode(err, "RemoveRoot while an attempt runs", executor.FailedPrecondition)
	w.touch("go")
	s.wantExit(w, 7)
	s.released(w)
	_, err = do(t.ctx, s, transport.MethodRootRemove, w.Ref.ID)
	t.wantCode(err, "RemoveRoot before Delete", executor.FailedPrecondition)
	t.must(s.Delete(w.Ref), "Delete")
	s.unroot(w.Ref.ID)
}
