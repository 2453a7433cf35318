package cli

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/davit-run/davit/host/api"
	"github.com/spf13/cobra"
)

var _ = Command(Containers, 30, (*App).inspectCommand)

func (a *App) inspectCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "inspect [flags] CONTAINER...",
		Short:   "Print all about containers, as a JSON array",
		Example: "  davit inspect web\n  davit inspect web | jq .[0].pid\n  davit inspect -f '{{.State.Pid}} {{.exit.code}}' web",
		Args:    some,
	}
	inspects(a, cmd, (*api.Client).Inspect, func(all []api.Container) listing {
		return listing{items: all, more: func(i int) fields { return inspectFields(all[i]) }}
	})
	return cmd
}

// inspectFormat is the Format of a command that has no table.
type inspectFormat struct{ *Format }

// Set implements pflag.Value.
func (f inspectFormat) Set(s string) error {
	if s == string(AsTable) {
		return fmt.Errorf("use %s or a template such as '{{.ID}}'", AsJSON)
	}
	return listFormat(f).Set(s)
}

// inspectFields are fields by the names that docker inspect has.
func inspectFields(c api.Container) fields {
	code, oom := -1, false // -1 is not known, or not yet
	if c.Exit != nil && c.Exit.Code != nil {
		code = *c.Exit.Code
	}
	if c.Exit != nil && c.Exit.OOM != nil {
		oom = *c.Exit.OOM
	}
	labels := map[string]any{}
	for name, value := range c.Labels {
		labels[name] = value
	}
	mounts := []any{}
	for _, v := range c.Volumes {
		mounts = append(mounts, map[string]any{"Type": "volume", "Name": v.Name, "Source": v.Source, "Destination": v.Target, "Driver": "local", "RW": !v.ReadOnly})
	}
	ports, bindings := map[string]any{}, map[string]any{}
	for _, p := range c.Ports {
		addBinding(ports, p)
	}
	for _, p := range c.Publish {
		addBinding(bindings, p)
	}
	networks := map[string]any{}
	first, first6, firstMAC := "", "", ""
	for i, a := range c.Addresses {
		six := ""
		if a.IP6.IsValid() {
			six = a.IP6.String()
		}
		networks[a.Network] = map[string]any{"IPAddress": a.IP.String(), "GlobalIPv6Address": six, "MacAddress": a.MAC}
		if i == 0 {
			first, first6, firstMAC = a.IP.String(), six, a.MAC
		}
	}
	state := map[string]any{
		"Status": string(c.State), "Running": c.State == api.StateRunning || c.State == api.StatePaused, "Paused": c.State == api.StatePaused,
		"Restarting": c.State == api.StateRestarting, "OOMKilled": oom, "Pid": c.PID, "ExitCode": code, "Error": c.Error,
		"StartedAt": c.StartedAt, "FinishedAt": c.FinishedAt,
	}
	if c.Health != nil { // as in docker, templates ask for it by if
		state["Health"] = healthFields(c.Health)
	}
	d := api.Details{}
	if c.Details != nil {
		d = *c.Details
	}
	for _, m := range d.Mounts {
		if named := func(v api.MountedVolume) bool { return v.Target == m.Destination }; m.Type == "bind" && !slices.ContainsFunc(c.Volumes, named) {
			mounts = append(mounts, map[string]any{"Type": "bind", "Source": m.Source, "Destination": m.Destination, "RW": !slices.Contains(m.Options, "ro")})
		}
	}
	return fields{
		"LogPath": d.Logs[api.Stdout.String()],
		"Id":      c.ID, "ID": c.ID, "Name": c.Name, "Created": c.CreatedAt, "RestartCount": c.Restarts, "Backend": c.Backend, "Runtime": c.Runtime,
		"State":           state,
		"Mounts":          mounts,
		"NetworkSettings": map[string]any{"IPAddress": first, "GlobalIPv6Address": first6, "MacAddress": firstMAC, "Networks": networks, "Ports": ports},
		"Config": map[string]any{
			"Labels": labels, "Cmd": c.Command, "Healthcheck": healthCheckFields(c.HealthCheck), "Image": c.Image,
			"Env": d.Env, "User": d.User, "WorkingDir": d.Cwd, "Hostname": d.Hostname, "Tty": c.Terminal, "OpenStdin": c.Stdin,
		},
		"HostConfig": map[string]any{
			"Memory": d.Limits.MemoryBytes, "NanoCpus": int64(d.Limits.CPUs * 1e9), "PidsLimit": d.Limits.PidsLimit, "ReadonlyRootfs": d.ReadOnly,
			"NetworkMode": c.Network, "PidMode": c.PIDMode, "IpcMode": c.IPCMode, "PortBindings": bindings, "AutoRemove": c.AutoRemove, "RestartPolicy": map[string]any{"Name": cmp.Or(c.Restart, api.RestartNo)},
		},
	}
}

// healthFields are the fields of docker's State.Health.
func healthFields(h *api.Health) map[string]any {
	log := []any{}
	for _, r := range h.Log {
		log = append(log, map[string]any{"Start": r.Start, "End": r.End, "ExitCode": r.ExitCode, "Output": r.Output})
	}
	return map[string]any{"Status": string(h.Status), "FailingStreak": h.FailingStreak, "Log": log}
}

// healthCheckFields are the fields of docker's Config.Healthcheck, nil if there is no check.
// Docker has no other test than a command.
func healthCheckFields(h *api.HealthCheck) map[string]any {
	if h == nil {
		return nil
	}
	test := []string{"TCP", h.TCP}
	switch {
	case h.HTTP != "":
		test = []string{"HTTP", h.HTTP}
	case len(h.Command) > 0:
		test = append([]string{"CMD"}, h.Command...)
	}
	fields := map[string]any{"Test": test, "Interval": h.Interval, "Timeout": h.Timeout, "Retries": h.Retries, "StartInterval": h.StartInterval}
	if h.StartPeriod != nil {
		fields["StartPeriod"] = *h.StartPeriod
	}
	return fields
}
