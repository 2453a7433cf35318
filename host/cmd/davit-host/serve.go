package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/davit-run/davit/host"
	"github.com/davit-run/davit/host/access"
	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/config"
	"github.com/davit-run/davit/host/diag"
	"github.com/davit-run/davit/host/internal/cli"
	"github.com/hashicorp/go-hclog"
	"github.com/spf13/cobra"
)

const (
	// idleTimeout bounds the end of executors that nothing needs any more.
	idleTimeout = 20 * time.Second
	// linger is for clients of the host before this one, which try to connect every
	// second.
	linger = 15 * time.Second
)

var _ = cli.Command(cli.Host, 10, serveCommand)

func serveCommand(a *cli.App) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "serve [flags]",
		Short: "Run the host, in the foreground",
		Long: `Run the host, in the foreground. It logs to stderr, and to systemd's journal with
the priority of each line. On SIGTERM or SIGINT it ends
and leaves containers running, and the next host goes on with them; with --drain
it stops them first. So it does when systemd turns the machine off: nothing outlives
that. A second signal ends it at once. On SIGHUP it reads its config again, as with
` + "`davit reload`" + `.

With --ephemeral, containers end with the host, however it ends: also when it is
killed.

Without --config and without a config in /etc/davit, it has one backend, main, that
runs containers with runc and needs no daemon. Without root, all is in directories of the
user (~/.config/davit, ~/.local/share/davit, $XDG_RUNTIME_DIR/davit), and without a config
there it has the backends main, which runs processes of this machine on its own files,
and wasm, which runs WebAssembly modules. With a config that cannot be used it ends with
exit code 78.`,
		Example: "  davit serve\n  davit serve --config ./davit.hcl\n  davit serve --drain=30s\n  davit serve --ephemeral",
		Args:    cli.AtMost(0),
	}
	path := configFlag(cmd)
	var timeout cli.Seconds
	cmd.Flags().Var(&timeout, "drain", "stop the containers before ending; `TIMEOUT` is how long each may take, by default its own")
	cmd.Flags().Lookup("drain").NoOptDefVal = "own"
	var ephemeral bool
	cmd.Flags().BoolVar(&ephemeral, "ephemeral", false, "kill and remove the containers when the host ends or is killed")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		load := func() (*config.Config, diag.Diagnostics) {
			whole := *path // who reads its places later may be in another directory
			if abs, err := filepath.Abs(whole); err == nil {
				whole = abs
			}
			cfg, diags, _ := loadConfig(cmd, whole)
			return cfg, diags
		}
		if a.Stderr == io.Writer(os.Stderr) && inJournal() {
			a.Stderr = toJournal{os.Stderr, hclog.Error}
		}
		cfg, diags, name := loadConfig(cmd, *path)
		if err := writeFindings(a.Stderr, diags); err != nil {
			return err
		}
		if err := refusal(name, diags); err != nil {
			return &cli.ExitError{Code: exitConfig, Err: err}
		}
		var drain *time.Duration
		if cmd.Flags().Changed("drain") {
			drain = new(timeout.Or(api.OwnStopTimeout))
		}
		return serve(cmd.Context(), a, cfg.WithDefaults(), serveOptions{name, load, ephemeral, drain})
	}
	return cmd
}

// serveOptions are the options of serve that are not in a config.
type serveOptions struct {
	name      string // of the config
	load      func() (*config.Config, diag.Diagnostics)
	ephemeral bool
	drain     *time.Duration // nil leaves containers running
}

func serve(ctx context.Context, a *cli.App, cfg config.Config, o serveOptions) error {
	logger := newLogger(a.Stderr, cfg.Log)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	defer signal.Stop(signals)
	reloads := make(chan os.Signal, 1)
	if !signal.Ignored(syscall.SIGHUP) { // by nohup
		signal.Notify(reloads, syscall.SIGHUP)
		defer signal.Stop(reloads)
	}
	unit := newService(logger)
	listener, err := listen(api.Socket{Path: cfg.API.Socket, Group: cfg.API.Group, RunDir: cfg.RunDir, Logger: logger.Named("api")}, logger)
	if err != nil {
		return err
	}
	watch, err := openMonitoring(ctx, cfg, a.Build, logger)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	overTCP, err := openRemote(ctx, cfg, a.Build, logger.Named("api"))
	if err != nil {
		return errors.Join(err, listener.Close(), watch.close())
	}
	guard := access.New(cfg)
	reloader := &reloader{remote: overTCP, load: o.load, name: o.name, logger: logger, listener: listener, guard: guard, service: unit, config: cfg}
	h, err := host.Open(ctx, cfg, host.Options{
		Logger: logger, Version: a.Build.Version, Linger: linger, Ephemeral: o.ephemeral, Observer: watch.metrics, Reload: reloader.reload,
	})
	if err != nil {
		return errors.Join(err, listener.Close(), watch.close(), overTCP.close())
	}
	reloader.host = h
	spans, sendSpans := openTracing(a.Env, logger.Named("traces"))
	defer sendSpans()
	apiCtx, stopAPI := context.WithCancel(ctx)
	defer stopAPI()
	visible := watch.of(h)
	watched, remotely := watch.serve(apiCtx, visible), overTCP.serve(apiCtx, visible, spans)
	served := make(chan error, 1)
	go func() {
		served <- api.Serve(apiCtx, listener, visible, api.Options{Version: a.Build, Logger: logger.Named("api"), Trace: spans, Access: guard})
	}()
	switch {
	case cfg.API.Rules:
		logger.Info("others than the host's user and root may do what the access rules allow", "group", cfg.API.Group, "rules", len(cfg.Rules))
	case cfg.API.Group != "":
		logger.Info("members of the API's group are as powerful as the host's user", "group", cfg.API.Group, "user", os.Geteuid(), "hooks_forbidden", cfg.ForbidHooks)
	}
	logger.Info("host is ready", "config", o.name, "socket", cfg.API.Socket, "version", a.Build.Version, "host_id", h.ID())
	unit.ready()
	var aside sync.WaitGroup
	defer aside.Wait()
	defer stopAPI()
	aside.Go(func() { unit.watch(apiCtx, listener.Addr().String()) })
	aside.Go(func() { sayUnready(apiCtx, h.Backends, logger) })
	aside.Go(func() { reloadOn(apiCtx, reloads, reloader) })

	select {
	case sig := <-signals:
		down := goingDown(ctx)
		if down && o.drain == nil {
			o.drain = new(api.OwnStopTimeout)
		}
		logger.Info("host is stopping", "signal", sig.String(), "drain", o.drain != nil, "machine_goes_down", down)
	case <-ctx.Done():
	case err := <-served:
		stopAPI()
		return errors.Join(fmt.Errorf("the API ended: %w", err), watched(), remotely(), h.Close())
	}
	signal.Stop(signals) // the next one ends the process
	unit.stopping()
	return stop(context.WithoutCancel(ctx), h, logger, o, func() error { stopAPI(); return errors.Join(<-served, watched(), remotely()) })
}

// newLogger returns the log of the host. The journal of systemd knows the time of a line.
func newLogger(w io.Writer, c config.Log) hclog.Logger {
	opts := hclog.LoggerOptions{
		Level: hclog.LevelFromString(c.Level), JSONFormat: c.Format == "json",
		Output: w, Color: hclog.AutoColor, ColorHeaderOnly: true,
	}
	if _, ok := w.(toJournal); ok {
		opts.Color, opts.DisableTime = hclog.ColorOff, !opts.JSONFormat
	}
	return hclog.New(&opts)
}

// writeFindings writes the findings about a config. In the journal warnings alone are
// warnings.
func writeFindings(w io.Writer, diags diag.Diagnostics) error {
	if j, ok := w.(toJournal); ok && !diags.HasErrors() {
		j.level = hclog.Warn
		w = j
	}
	return diags.WriteText(w)
}

// stop ends a host. Clients are served while containers are stopped, so that those who
// run one in the foreground see its end.
func stop(ctx context.Context, h *host.Host, logger hclog.Logger, o serveOptions, stopAPI func() error) error {
	var drained error
	if o.drain != nil {
		drained = h.Drain(ctx, *o.drain)
	}
	if err := stopAPI(); err != nil {
		logger.Warn("requests were cut off", "error", err)
	}
	idle, cancel := context.WithTimeout(ctx, idleTimeout)
	defer cancel()
	if err := h.StopIdle(idle); err != nil {
		logger.Warn("an executor did not end", "error", err)
	}
	running := 0
	if backends, err := h.Backends(); err == nil && !o.ephemeral {
		for _, b := range backends {
			running += b.Containers
		}
	}
	err := errors.Join(drained, h.Close())
	if running > 0 {
		logger.Info("host has stopped; its containers run on", "containers", running)
	} else {
		logger.Info("host has stopped")
	}
	return err
}
