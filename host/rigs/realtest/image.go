package realtest

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// ImageArchive writes an archive of an OCI image, and returns its path. The image has a
// layer with all of rootfs, one with the files of each of the others, and a config.
func ImageArchive(t testing.TB, name, rootfs string, config map[string]any, others ...map[string]string) string {
	t.Helper()
	base, err := exec.Command("tar", "-C", rootfs, "--owner=0", "--group=0", "-c", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	layers := [][]byte{base}
	for _, files := range others {
		layers = append(layers, tarOf(t, files))
	}
	files := map[string]string{"oci-layout": `{"imageLayoutVersion":"1.0.0"}`}
	blob := func(kind string, content []byte) map[string]any {
		digest := fmt.Sprintf("%x", sha256.Sum256(content))
		files["blobs/sha256/"+digest] = string(content)
		return map[string]any{"mediaType": kind, "digest": "sha256:" + digest, "size": len(content)}
	}
	object := func(kind string, v any) map[string]any {
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return blob(kind, text)
	}
	var blobs, diffs []any
	for _, l := range layers {
		b := blob("application/vnd.oci.image.layer.v1.tar", l)
		blobs, diffs = append(blobs, b), append(diffs, b["digest"])
	}
	manifest := object("application/vnd.oci.image.manifest.v1+json", map[string]any{
		"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "layers": blobs,
		"config": object("application/vnd.oci.image.config.v1+json", map[string]any{
			"os": "linux", "architecture": runtime.GOARCH, "config": config,
			"rootfs": map[string]any{"type": "layers", "diff_ids": diffs},
		}),
	})
	manifest["annotations"] = map[string]any{"io.containerd.image.name": name}
	manifest["platform"] = map[string]any{"os": "linux", "architecture": runtime.GOARCH}
	index, err := json.Marshal(map[string]any{"schemaVersion": 2, "manifests": []any{manifest}})
	if err != nil {
		t.Fatal(err)
	}
	files["index.json"] = string(index)
	path := filepath.Join(Dir(t), "image.tar")
	if err := os.WriteFile(path, tarOf(t, files), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func tarOf(t testing.TB, files map[string]string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	var names []string
	for name := range files {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(files[name]))}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(files[name])); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// Ctr runs the daemon's own client in a namespace, and returns what it prints.
func (d *Daemon) Ctr(namespace string, args ...string) string {
	d.t.Helper()
	ctr := exec.Command(filepath.Join(filepath.Dir(d.bin), "ctr"), append([]string{"--address", d.Address, "--namespace", namespace}, args...)...)
	var stderr bytes.Buffer
	ctr.Stderr = &stderr
	out, err := ctr.Output()
	if err != nil {
		d.t.Errorf("ctr %s: %v %s", strings.Join(args, " "), err, stderr.String())
	}
	return string(out)
}
