package memory

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/davit-run/davit/shared/executor"
)

// Image is the name of the one image that each backend has. Its config has a command, and
// its root file system two users.
const Image = "docker.io/library/hello:latest"

// imageConfig is the config of the image. The command is a program of package workload.
const imageConfig = `{"architecture":"any","os":"linux","config":{"User":"worker","Env":["GREETING=hello"],"Cmd":["print","stdout","hello"],"WorkingDir":"/work","StopSignal":"SIGUSR1","Labels":{"from":"image"}},"rootfs":{"type":"layers","diff_ids":[]}}`

// imageFiles are the files of the image.
var imageFiles = map[string]string{
	"etc/passwd": "root:x:0:0::/:/bin/sh\nworker:x:1000:1000::/work:/bin/sh\n",
	"etc/group":  "root:x:0:\nworker:x:1000:\n",
}

func theImage() executor.Image {
	sum := sha256.Sum256([]byte(imageConfig))
	digest := "sha256:" + hex.EncodeToString(sum[:])
	return executor.Image{Name: Image, Digest: digest, ID: digest, Platform: "linux/any", Size: int64(len(imageConfig)), CreatedAt: time.Unix(1e9, 0).UTC()}
}

// Images implements [executor.ImageKeeper].
func (b *backend) Images(context.Context) ([]executor.Image, error) {
	return []executor.Image{theImage()}, nil
}

// Image implements [executor.ImageKeeper].
func (b *backend) Image(_ context.Context, name string) (executor.Image, error) {
	if name != Image {
		return executor.Image{}, executor.Errorf(executor.NotFound, "there is no image %q; there is %s and no other", name, Image)
	}
	image := theImage()
	image.Config = json.RawMessage(imageConfig)
	return image, nil
}

func (d *driver) roots() string { return filepath.Join(d.env.StateDir, "roots") }

// PrepareRoot implements [executor.ImageKeeper].
func (b *backend) PrepareRoot(_ context.Context, id, digest string) (executor.Root, error) {
	dir := filepath.Join(b.driver.roots(), id)
	root := executor.Root{Path: filepath.Join(dir, "fs")}
	switch _, err := os.Stat(root.Path); {
	case err == nil:
		return root, nil
	case !errors.Is(err, fs.ErrNotExist):
		return executor.Root{}, err
	case digest == "":
		return executor.Root{}, executor.Errorf(executor.NotFound, "container %s has no root file system", id)
	case digest != theImage().Digest:
		return executor.Root{}, executor.Errorf(executor.NotFound, "there is no image with the digest %s", digest)
	}
	making := filepath.Join(dir, "new") // it appears whole
	err := os.RemoveAll(making)
	for name, text := range imageFiles {
		path := filepath.Join(making, name)
		if err == nil {
			err = os.MkdirAll(filepath.Dir(path), 0o755)
		}
		if err == nil {
			err = os.WriteFile(path, []byte(text), 0o600)
		}
	}
	if err == nil {
		err = os.Rename(making, root.Path)
	}
	return root, err
}

// RemoveRoot implements [executor.ImageKeeper].
func (b *backend) RemoveRoot(ctx context.Context, id string) error {
	if _, known, err := b.driver.Find(ctx, executor.Ref{ID: id}); known || err != nil {
		return errors.Join(err, executor.Errorf(executor.FailedPrecondition, "container %s has an attempt, which may need its root file system", id))
	}
	return os.RemoveAll(filepath.Join(b.driver.roots(), id))
}

// Roots implements [executor.ImageKeeper].
func (b *backend) Roots(context.Context) ([]string, error) {
	entries, err := os.ReadDir(b.driver.roots())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	ids := make([]string, len(entries))
	for i, e := range entries {
		ids[i] = e.Name()
	}
	return ids, err
}
