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

// Owner is the user and the group, on the host, that pipes belong to.
type Owner struct{ UID, GID uint32 }

// Wire encodes the options. binary is the OCI binary to run, empty for the
// shim's default. pipes owns the pipes for standard streams, unless an option says
// otherwise.
func (r Resolved) Wire(binary string, pipes Owner) (Wire, error) {
	o := r.Options
	if o.IoUID != nil {
		pipes.UID = uint32(*o.IoUID)
	}
	if o.IoGID != nil {
		pipes.GID = uint32(*o.IoGID)
	}
	switch r.Kind() {
	case KindRunc:
		a, err := pack("containerd.runc.v1.Options", &options.Options{
			NoPivotRoot:   val(o.NoPivotRoot),
			NoNewKeyring:  val(o.NoNewKeyring),
			ShimCgroup:    val(o.ShimCgroup),
			IoUid:         pipes.UID,
			IoGid:         pipes.GID,
			BinaryName:    binary,
			Root:          val(o.Root),
			SystemdCgroup: val(o.SystemdCgroup),
			CriuImagePath: val(o.CriuImagePath),
			CriuWorkPath:  val(o.CriuWorkPath),
		})
		return Wire{Container: a}, err
	case KindLinux:
		return Wire{Container: o.linuxContainer(binary), Task: o.linuxTask(pipes)}, nil
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

// pack returns m as an Any. containerd names its own types without the prefix
// type.googleapis.com/ of anypb.New.
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

func (o Options) linuxTask(pipes Owner) *anypb.Any {
	var m message
	m.bool(1, val(o.NoPivotRoot))
	m.bool(8, val(o.NoNewKeyring))
	m.str(9, val(o.ShimCgroup))
	m.uint(10, uint64(pipes.UID))
	m.uint(11, uint64(pipes.GID))
	m.str(12, val(o.CriuWorkPath))
	m.str(13, val(o.CriuImagePath))
	return &anypb.Any{TypeUrl: "containerd.linux.runc.CreateOptions", Value: m}
}

// message is a protobuf message under construction. Zero values are left out.
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
