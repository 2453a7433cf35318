package runtimes

import (
	"github.com/containerd/containerd/api/types/runc/options"
	runtimeoptions "github.com/containerd/containerd/api/types/runtimeoptions/v1"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
)

// Wire is a runtime's options in the form that containerd takes. Nil means that
// none are sent.
type Wire struct {
	// Container goes into the container's record, and to the shim.
	Container *anypb.Any
	// Task goes with the creation of the task.
	Task *anypb.Any
}

// Wire encodes the options. binary is the OCI binary to run, empty for the
// shim's default.
func (r Resolved) Wire(binary string) (Wire, error) {
	o := r.Options
	switch r.Kind() {
	case KindRunc:
		a, err := pack("containerd.runc.v1.Options", &options.Options{
			NoPivotRoot:   val(o.NoPivotRoot),
			NoNewKeyring:  val(o.NoNewKeyring),
			ShimCgroup:    val(o.ShimCgroup),
			IoUid:         uint32(val(o.IoUID)),
			IoGid:         uint32(val(o.IoGID)),
			BinaryName:    binary,
			Root:          val(o.Root),
			SystemdCgroup: val(o.SystemdCgroup),
			CriuImagePath: val(o.CriuImagePath),
			CriuWorkPath:  val(o.CriuWorkPath),
		})
		return Wire{Container: a}, err
	case KindLinux:
		return Wire{Container: o.linuxContainer(binary), Task: o.linuxTask()}, nil
	}
	if o == (Options{}) {
		return Wire{}, nil
	}
	a, err := pack("runtimeoptions.v1.Options", &runtimeoptions.Options{
		TypeUrl:    val(o.TypeURL),
		ConfigPath: val(o.ConfigPath),
		ConfigBody: []byte(val(o.ConfigBody)),
	})
	return Wire{Container: a}, err
}

// containerd names its own types without the type.googleapis.com/ of anypb.New.
func pack(url string, m proto.Message) (*anypb.Any, error) {
	b, err := proto.Marshal(m)
	if err != nil {
		return nil, err
	}
	return &anypb.Any{TypeUrl: url, Value: b}, nil
}

// The messages of the first shim are gone from containerd's current modules, and
// they are few enough to be written by hand. Field numbers are those of
// containerd 1.6's runctypes.

func (o Options) linuxContainer(binary string) *anypb.Any {
	var m message
	m.str(1, binary)
	m.str(2, val(o.Root))
	m.str(3, val(o.CriuPath))
	m.bool(4, val(o.SystemdCgroup))
	return &anypb.Any{TypeUrl: "containerd.linux.runc.RuncOptions", Value: m}
}

func (o Options) linuxTask() *anypb.Any {
	var m message
	m.bool(1, val(o.NoPivotRoot))
	m.bool(8, val(o.NoNewKeyring))
	m.str(9, val(o.ShimCgroup))
	m.uint(10, uint64(val(o.IoUID)))
	m.uint(11, uint64(val(o.IoGID)))
	m.str(12, val(o.CriuWorkPath))
	m.str(13, val(o.CriuImagePath))
	return &anypb.Any{TypeUrl: "containerd.linux.runc.CreateOptions", Value: m}
}

// message is a protobuf message in the making; zero values are left out.
type message []byte

func (m *message) str(field protowire.Number, s string) {
	if s != "" {
		*m = protowire.AppendString(protowire.AppendTag(*m, field, protowire.BytesType), s)
	}
}

func (m *message) uint(field protowire.Number, v uint64) {
	if v != 0 {
		*m = protowire.AppendVarint(protowire.AppendTag(*m, field, protowire.VarintType), v)
	}
}

func (m *message) bool(field protowire.Number, v bool) { m.uint(field, protowire.EncodeBool(v)) }

func val[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}
