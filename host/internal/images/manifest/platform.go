package manifest

import (
	"regexp"
	"runtime"
	"slices"
	"strings"

	"github.com/davit-run/davit/shared/executor"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// Platform is what an image was built for.
type Platform struct{ OS, Architecture, Variant string }

// Here returns the platform of this machine.
func Here() Platform { return Platform{OS: "linux", Architecture: runtime.GOARCH} }

var platformPattern = regexp.MustCompile(`^[a-z0-9]+(/[a-z0-9_]+){1,2}$`)

// ParsePlatform reads OS/ARCH[/VARIANT]. Empty means [Here].
func ParsePlatform(s string) (Platform, error) {
	if s == "" {
		return Here(), nil
	}
	if !platformPattern.MatchString(s) {
		return Platform{}, executor.Errorf(executor.Invalid, "platform %q is not of the form OS/ARCH or OS/ARCH/VARIANT, such as linux/arm64", s)
	}
	parts := append(strings.Split(s, "/"), "")
	return Platform{parts[0], parts[1], parts[2]}, nil
}

// String returns the platform as users write it.
func (p Platform) String() string {
	return strings.TrimSuffix(p.OS+"/"+p.Architecture+"/"+p.Variant, "/")
}

// Of returns the platform in a config or descriptor.
func Of(p *v1.Platform) Platform {
	if p == nil {
		return Platform{}
	}
	return Platform{p.OS, p.Architecture, p.Variant}
}

// matches reports whether an image for other runs where p is wanted.
func (p Platform) matches(other Platform) bool {
	return p.OS == other.OS && p.Architecture == other.Architecture && (p.Variant == "" || p.Variant == other.Variant)
}

// Select returns the manifest of an index for a platform. A manifest that does not say what
// it is for is taken if there is no other, and so is one for WebAssembly, which all machines
// can run. The first one that fits is taken, as others do.
func Select(manifests []v1.Descriptor, want Platform) (v1.Descriptor, error) {
	var have []string
	for _, d := range manifests {
		p := Of(d.Platform)
		if want.matches(p) {
			return d, nil
		}
		if p.OS != "" && p.OS != "unknown" { // unknown are attestations
			have = append(have, p.String())
		}
	}
	if len(manifests) == 1 && (manifests[0].Platform == nil || want == Here() && Of(manifests[0].Platform).IsWasm()) {
		return manifests[0], nil
	}
	slices.Sort(have)
	if len(have) == 0 {
		return v1.Descriptor{}, executor.Errorf(executor.NotFound, "it has no image for %s", want)
	}
	return v1.Descriptor{}, executor.Errorf(executor.NotFound, "it has no image for %s, only for %s; choose one with --platform", want, strings.Join(slices.Compact(have), ", "))
}
