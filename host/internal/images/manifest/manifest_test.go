package manifest

import (
	"strings"
	"testing"

	"github.com/davit-run/davit/shared/executor"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

const zero = "sha256:0000000000000000000000000000000000000000000000000000000000000000"

// TestParse reads documents that are right, and those that are not.
func TestParse(t *testing.T) {
	good := `{"schemaVersion":2,"config":{"digest":"` + zero + `","size":1},"layers":[{"digest":"` + zero + `","size":1,"urls":["http://elsewhere"]}]}`
	if d, err := Parse([]byte(good)); err != nil || d.Manifest == nil || len(d.Manifest.Layers) != 1 {
		t.Errorf("manifest: got %+v, %v", d, err)
	}
	if d, err := Parse([]byte(`{"schemaVersion":2,"manifests":[{"digest":"` + zero + `","size":1}]}`)); err != nil || d.Index == nil {
		t.Errorf("index: got %+v, %v", d, err)
	}
	if d, err := Parse([]byte(strings.Replace(good, `"config":{`, `"config":{"mediaType":"text/odd",`, 1))); err != nil || d.Manifest == nil {
		t.Errorf("a config of another type: got %+v, %v", d, err)
	}
	many := strings.Repeat(`{"digest":"`+zero+`","size":1},`, 1001)
	for name, text := range map[string]string{
		"no JSON": `x`, "no object": `[]`, "schema 1": `{"schemaVersion":1}`, "no schema": `{}`, "a size below 0": strings.ReplaceAll(good, `"size":1`, `"size":-1`),
		"no digest": strings.ReplaceAll(good, zero, "x"), "index and image": `{"schemaVersion":2,"config":{},"manifests":[{}]}`, "too many": `{"schemaVersion":2,"manifests":[` + many[:len(many)-1] + `]}`,
		"too many layers": strings.Replace(good, `"layers":[`, `"layers":[`+many, 1), "another type": `{"schemaVersion":2,"mediaType":"text/plain"}`,
		"deep": strings.Repeat(`{"config":`, 20_000), "a chart": strings.NewReplacer(`"config":{`, `"config":{"mediaType":"application/vnd.cncf.helm.config.v1+json",`, `"layers":[{`, `"layers":[{"mediaType":"application/vnd.cncf.helm.chart.content.v1.tar+gzip",`).Replace(good),
	} {
		if d, err := Parse([]byte(text)); executor.CodeOf(err) != executor.Invalid && executor.CodeOf(err) != executor.Unsupported {
			t.Errorf("%s: got %+v, %v", name, d, err)
		}
	}
}

// TestPlatforms selects from an index.
func TestPlatforms(t *testing.T) {
	d := func(digest, platform string) v1.Descriptor {
		p, err := ParsePlatform(platform)
		if err != nil {
			t.Fatal(err)
		}
		return v1.Descriptor{Digest: zero, MediaType: digest, Platform: &v1.Platform{OS: p.OS, Architecture: p.Architecture, Variant: p.Variant}}
	}
	all := []v1.Descriptor{d("a", "linux/arm/v6"), d("b", "linux/arm/v7"), d("c", "unknown/unknown"), d("d", "linux/amd64")}
	for want, which := range map[string]string{"linux/arm": "a", "linux/arm/v7": "b", "linux/amd64": "d"} {
		p, err := ParsePlatform(want)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := Select(all, p); err != nil || got.MediaType != which {
			t.Errorf("%s: got %s, %v, want %s", want, got.MediaType, err, which)
		}
	}
	if _, err := Select(all, Platform{OS: "linux", Architecture: "s390x"}); executor.CodeOf(err) != executor.NotFound || !strings.Contains(err.Error(), "linux/amd64, linux/arm/v6, linux/arm/v7") {
		t.Errorf("got %v", err)
	}
	if _, err := Select([]v1.Descriptor{{Digest: zero}}, Here()); err != nil {
		t.Errorf("one that does not say what it is for: %v", err)
	}
	module := d("e", "wasip1/wasm")
	if _, err := Select([]v1.Descriptor{module}, Here()); err != nil {
		t.Errorf("only a module: %v", err)
	}
	if _, err := Select([]v1.Descriptor{module}, Platform{OS: "linux", Architecture: "s390x"}); executor.CodeOf(err) != executor.NotFound {
		t.Errorf("a module for s390x: got %v", err)
	}
	if got, err := Select([]v1.Descriptor{module, d("f", Here().String())}, Here()); err != nil || got.MediaType != "f" {
		t.Errorf("a module and a program: got %s, %v", got.MediaType, err)
	}
	for _, bad := range []string{"linux", "linux/", "/", "linux/amd64/v1/x", "Linux/AMD64", "../.."} {
		if _, err := ParsePlatform(bad); executor.CodeOf(err) != executor.Invalid {
			t.Errorf("%q: got %v, want invalid", bad, err)
		}
	}
}

// FuzzParse reads garbage.
func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"schemaVersion":2,"config":{"digest":"` + zero + `"},"layers":[]}`))
	f.Add([]byte(`{"schemaVersion":2,"manifests":[{"digest":"` + zero + `","platform":{}}]}`))
	f.Add([]byte(`{"os":"wasip1","architecture":"wasm","layerDigests":["` + zero + `"]}`))
	f.Fuzz(func(_ *testing.T, raw []byte) {
		if d, err := Parse(raw); err == nil && d.Index != nil {
			_, _ = Select(d.Index.Manifests, Here())
		}
		_, _ = ParseConfig(raw, 0)
		_, _ = ParseConfig(raw, 1)
	})
}
