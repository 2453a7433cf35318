package storm

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"
)

// davitPeer is davit on one of its backends.
type davitPeer struct {
	site   *site
	target target
	title  string
	owner  bool // of the site
}

func (p *davitPeer) name() string { return p.title }

func (p *davitPeer) start(ctx context.Context, l *life) error {
	l.target = p.target
	request := map[string]any{
		"backend": p.target.name, "runtime": "io.containerd.runc.v2", "rootfs": p.site.rootfs, "output_max": -1,
		"process": map[string]any{
			"args":   l.command(),
			"mounts": []any{map[string]any{"destination": "/storm", "type": "bind", "source": l.dir, "options": []string{"rbind", "rprivate"}}},
		},
	}
	var v containerView
	err := p.site.client.call(ctx, "POST", "/containers", request, &v)
	l.id = v.ID
	return err
}

func (p *davitPeer) manager() match {
	p.site.mu.Lock()
	defer p.site.mu.Unlock()
	p.site.expected = true
	pid := p.site.host.Process.Pid
	return func(q process) bool { return q.pid == pid }
}

func (p *davitPeer) daemon() match {
	if p.target.daemon == "" {
		return nil
	}
	return p.site.isContainerd(p.target)
}

func (p *davitPeer) shim(l *life) match { return p.site.isShim(l.id) }

func (p *davitPeer) revive(ctx context.Context) error { return p.site.waitAnswer(ctx) }

func (p *davitPeer) end(ctx context.Context, l *life) (string, error) {
	for pause(ctx, 20*time.Millisecond) {
		_ = p.site.client.call(ctx, "GET", "/containers/"+l.id+"/wait", nil, nil)
		v, err := p.site.client.inspect(ctx, l.id, false)
		if err != nil || v.Exit == nil {
			continue
		}
		if v.Exit.Code == nil {
			return fmt.Sprintf("%s (%s)", v.Exit.Source, v.Exit.Reason), nil
		}
		return fmt.Sprint(*v.Exit.Code), nil
	}
	return "", ctx.Err()
}

func (p *davitPeer) logs(ctx context.Context, l *life, read func(io.Reader) error) error {
	return p.site.client.stream(ctx, "/containers/"+l.id+"/logs?stdout=true", read)
}

func (p *davitPeer) remove(ctx context.Context, l *life) {
	_ = p.site.client.call(ctx, "DELETE", "/containers/"+l.id+"?force=true", nil, nil)
}

func (p *davitPeer) close() {
	if p.owner {
		_ = p.site.stop()
		_ = os.RemoveAll(p.site.dir)
	}
}
