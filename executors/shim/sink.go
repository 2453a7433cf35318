package shim

import (
	"context"

	events "github.com/containerd/containerd/api/services/ttrpc/events/v1"
	"github.com/containerd/ttrpc"
	"google.golang.org/protobuf/types/known/emptypb"
)

// sink receives the events of shims and discards them.
type sink struct {
	path   string
	server *ttrpc.Server
	done   chan struct{} // closed when the server has ended
}

// listenSink replaces the sink of an executor that is gone.
//
// The socket's file stays when the sink is closed. So shims that run on are refused
// at once; without the file they would wait for it.
func listenSink(path string) (*sink, error) {
	l, err := listenAt(path)
	if err != nil {
		return nil, err
	}
	server, err := ttrpc.NewServer(ttrpc.WithServerHandshaker(ttrpc.UnixSocketRequireSameUser()))
	if err != nil {
		_ = l.Close()
		return nil, err
	}
	events.RegisterTTRPCEventsService(server, discard{})
	s := &sink{path: path, server: server, done: make(chan struct{})}
	go func() {
		defer close(s.done)
		_ = server.Serve(context.Background(), l) // ends with close
	}()
	return s, nil
}

func (s *sink) close() error {
	err := s.server.Close()
	<-s.done
	return err
}

type discard struct{}

// Forward implements the service.
func (discard) Forward(context.Context, *events.ForwardRequest) (*emptypb.Empty, error) {
	return &emptypb.Empty{}, nil
}
