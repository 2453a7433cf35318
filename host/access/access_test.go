package access

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/config"
	"github.com/davit-run/davit/shared/executor"
)

const (
	ci     = 61001 // whom most rules are about
	member = 61002 // in the group
	other  = 61003
	group  = 61100
)

// host is a host that notes what it was asked for.
type host struct {
	containers map[string]api.Container
	created    *api.ContainerOptions
	calls      []string
}

func newHost() *host {
	owner := func(uid int) *int { return &uid }
	h := &host{containers: map[string]api.Container{}}
	for _, c := range []api.Container{
		{ID: "id-mine", Name: "mine", Backend: "main", Owner: owner(ci)},
		{ID: "id-theirs", Name: "theirs", Backend: "main", Owner: owner(other)},
		{ID: "id-roots", Name: "roots", Backend: "main", Owner: owner(0)},
		{ID: "id-old", Name: "old", Backend: "main"},
	} {
		h.containers[c.ID], h.containers[c.Name] = c, c
	}
	return h
}

func (h *host) Inspect(reference string) (api.Container, error) {
	c, ok := h.containers[reference]
	if !ok {
		return c, executor.Errorf(executor.NotFound, "no container %q", reference)
	}
	return c, nil
}

func (h *host) List(...api.ListOptions) (all []api.Container, _ error) {
	for _, name := range []string{"mine", "theirs", "roots", "old"} {
		all = append(all, h.containers[name])
	}
	return all, nil
}

func (h *host) Runtimes(context.Context, string) ([]executor.RuntimeInfo, error) {
	return []executor.RuntimeInfo{{Name: "crun"}, {Name: "runc", Default: true}}, nil
}

func (h *host) Create(_ context.Context, o api.ContainerOptions) (api.Container, error) {
	h.created = &o
	return api.Container{}, nil
}

func (h *host) Pause(_ context.Context, reference string) error {
	h.calls = append(h.calls, "pause "+reference)
	return nil
}

func (h *host) Exec(_ context.Context, reference string, _ api.ExecOptions) (api.Exec, error) {
	h.calls = append(h.calls, "exec "+reference)
	return api.Exec{}, nil
}

func (h *host) Commit(context.Context, string, api.CommitOptions) (api.Image, error) {
	h.calls = append(h.calls, "commit")
	return api.Image{}, nil
}

func (h *host) ConnectNetwork(_ context.Context, network, reference string, _ api.ConnectOptions) error {
	h.calls = append(h.calls, "connect "+reference+" to "+network)
	return nil
}

func (h *host) CreateVolume(_ context.Context, o api.VolumeOptions) (api.Volume, error) {
	h.calls = append(h.calls, "volume "+o.Name)
	return api.Volume{}, nil
}

func (h *host) Volumes() ([]api.Volume, error) { return nil, nil }

func (h *host) ReloadConfig(context.Context) (api.Reload, error) {
	h.calls = append(h.calls, "reload")
	return api.Reload{}, nil
}

// configured is the config of the tests: rules, and the directories of the host.
func configured(t *testing.T, rules ...config.Rule) config.Config {
	t.Helper()
	dir := t.TempDir()
	for i := range rules {
		if rules[i].Name == "" {
			rules[i].Name = "ci"
		}
		if len(rules[i].Users)+len(rules[i].Groups) == 0 {
			rules[i].Users = []string{"61001"}
		}
	}
	return config.Config{
		StateDir: dir + "/state", RunDir: dir + "/run", API: config.API{Rules: true}, Rules: rules, DefaultBackend: "main",
		Backends: []config.Backend{{Name: "main", Executor: "shim"}, {Name: "open", Executor: "shim", Defaults: config.Defaults{Network: "host"}}},
	}
}

// ask makes a request of a user as it would come over the socket. It returns the status and the
// message.
func ask(t *testing.T, g *Guard, h *host, uid int, groups []int, method, path, body string) (int, string) {
	t.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	if uid >= 0 {
		r = r.WithContext(api.WithCaller(r.Context(), api.Caller{UID: uid, GID: uid, Groups: groups}))
	}
	w := httptest.NewRecorder()
	api.NewHandler(h, api.Options{Access: g}).ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

const create = "/v1/containers"

// TestWhom: rules are about users and groups, by their numbers.
func TestWhom(t *testing.T) {
	g := New(configured(t, config.Rule{Users: []string{"61001"}, Groups: []string{"61100"}, Allow: []string{"read"}}))
	for name, tt := range map[string]struct {
		uid    int
		groups []int
		want   int
	}{
		"the user":                  {ci, nil, http.StatusOK},
		"a member":                  {member, []int{5, group}, http.StatusOK},
		"by the first group":        {group, nil, http.StatusOK},
		"somebody else":             {other, []int{5}, http.StatusForbidden},
		"a user with that number":   {other, []int{ci}, http.StatusForbidden},
		"root":                      {0, nil, http.StatusOK},
		"nobody knows who":          {-1, nil, http.StatusForbidden},
		"the number that is no one": {65534, nil, http.StatusForbidden},
	} {
		t.Run(name, func(t *testing.T) {
			if got, body := ask(t, g, newHost(), tt.uid, tt.groups, "GET", create, ""); got != tt.want {
				t.Errorf("got %d %s, want %d", got, body, tt.want)
			}
		})
	}
}

// TestDecisions: what a request needs that makes a container. Each is refused by a rule without
// what it needs, in words that say what that is, and allowed with it.
func TestDecisions(t *testing.T) {
	run := func(change func(*config.Rule)) config.Rule {
		r := config.Rule{Allow: []string{"run"}, Backends: []string{"main"}}
		if change != nil {
			change(&r)
		}
		return r
	}
	feature := func(name string) func(*config.Rule) {
		return func(r *config.Rule) { r.Features = []string{name} }
	}
	for name, tt := range map[string]struct {
		body string
		with func(*config.Rule) // nil: every rule allows it
		want string             // what is said without
	}{
		"plain":                     {`"name": "x", "image": "busybox", "stdin": true, "labels": {"a": "b"}, "process": {"args": ["x"], "env": ["A=b"], "user": "root", "memory_bytes": 9999999, "cpus": 1, "cap_drop": ["ALL"], "sysctls": {"net.a": "1"}, "ulimits": [{"type": "RLIMIT_CORE", "hard": 0, "soft": 0}]}`, nil, ""},
		"none of everything":        {`"network": "none", "process": {"pid": "private", "ipc": "shareable", "uts": "private", "cgroupns": "private", "no_new_privileges": true, "oom_score_adj": 5}`, nil, ""},
		"a usual capability":        {`"process": {"cap_add": ["CAP_CHOWN", "net_raw"]}`, nil, ""},
		"an anonymous volume":       {`"process": {"mounts": [{"destination": "/x", "type": "volume"}]}`, nil, ""},
		"memory":                    {`"process": {"mounts": [{"destination": "/x", "type": "tmpfs", "source": "tmpfs", "options": ["size=1m", "mode=1777", "nosuid", "nodev", "ro"]}]}`, nil, ""},
		"a health check":            {`"health_check": {"tcp": "10.0.0.1:22", "interval": "5s"}`, nil, ""},
		"shared with an own one":    {`"network": "container:mine", "volumes_from": ["mine:ro"], "process": {"pid": "container:mine", "ipc": "container:mine"}`, nil, ""},
		"the default by its name":   {`"runtime": "runc"`, nil, ""},
		"another backend":           {`"backend": "open", "network": "none"`, func(r *config.Rule) { r.Backends = []string{"*"} }, `backend open needs backends = ["open"]`},
		"another runtime":           {`"runtime": "crun"`, func(r *config.Rule) { r.Runtimes = []string{"crun"} }, `runtime crun needs runtimes = ["crun"]`},
		"network host":              {`"network": "host"`, feature("host-network"), `--network host needs features = ["host-network"]`},
		"a network":                 {`"network": "lan"`, func(r *config.Rule) { r.Networks = []string{"l*"} }, `network lan needs networks = ["lan"]`},
		"network user":              {`"network": "user"`, func(r *config.Rule) { r.Networks = []string{"user"} }, `network user needs networks = ["user"]`},
		"pid host":                  {`"process": {"pid": "host"}`, feature("host-pid"), `--pid host needs features = ["host-pid"]`},
		"ipc host":                  {`"process": {"ipc": "host"}`, feature("host-ipc"), `--ipc host needs features = ["host-ipc"]`},
		"uts host":                  {`"process": {"uts": "host"}`, feature("host-uts"), `--uts host needs features = ["host-uts"]`},
		"cgroupns host":             {`"process": {"cgroupns": "host"}`, feature("host-cgroupns"), `--cgroupns host needs features = ["host-cgroupns"]`},
		"privileged":                {`"process": {"privileged": true}`, feature("privileged"), `--privileged needs features = ["privileged"]`},
		"a bundle":                  {`"bundle": "/b"`, feature("bundle"), `--bundle needs features = ["bundle"]`},
		"annotations":               {`"process": {"annotations": {"run.oci.keep_original_groups": "1"}}`, feature("annotations"), `--annotation needs features = ["annotations"]`},
		"seccomp":                   {`"process": {"seccomp": "unconfined"}`, feature("seccomp"), `--security-opt seccomp needs features = ["seccomp"]`},
		"new privileges":            {`"process": {"no_new_privileges": false}`, feature("new-privileges"), `--security-opt no-new-privileges=false needs features = ["new-privileges"]`},
		"device rules":              {`"process": {"device_rules": ["b *:* rwm"]}`, feature("device-rules"), `--device-cgroup-rule needs features = ["device-rules"]`},
		"oom score":                 {`"process": {"oom_score_adj": -5}`, feature("oom-score"), `--oom-score-adj below 0 needs features = ["oom-score"]`},
		"a capability":              {`"process": {"cap_add": ["SYS_PTRACE"]}`, func(r *config.Rule) { r.Capabilities = []string{"cap_sys_ptrace"} }, `--cap-add SYS_PTRACE needs capabilities = ["SYS_PTRACE"]`},
		"all capabilities":          {`"process": {"cap_add": ["all"], "cap_drop": ["SYS_ADMIN"]}`, func(r *config.Rule) { r.Capabilities = []string{"ALL"} }, `--cap-add ALL needs capabilities = ["ALL"]`},
		"a device":                  {`"process": {"devices": [{"source": "/dev/null"}]}`, func(r *config.Rule) { r.Devices = []string{"/dev/null"} }, `--device /dev/null needs devices = ["/dev/null"]`},
		"a disk":                    {`"process": {"disk_limits": [{"device": "/dev/null", "kind": "read_ops", "value": 1}]}`, func(r *config.Rule) { r.Devices = []string{"/dev"} }, `a limit of /dev/null needs devices = ["/dev/null"]`},
		"a bind":                    {`"process": {"mounts": [{"destination": "/x", "type": "bind", "source": "/usr/bin", "options": ["rbind"]}]}`, func(r *config.Rule) { r.Binds = []string{"/usr"} }, `to mount /usr/bin needs binds = ["/usr/bin"]`},
		"a bind to read":            {`"process": {"mounts": [{"destination": "/x", "type": "bind", "source": "/usr/bin", "options": ["rbind", "ro"]}]}`, func(r *config.Rule) { r.Binds = []string{"/usr:ro"} }, `to mount /usr/bin needs binds = ["/usr/bin:ro"]`},
		"a bind by an option":       {`"process": {"mounts": [{"destination": "/x", "type": "tmpfs", "source": "/usr/bin", "options": ["rbind"]}]}`, func(r *config.Rule) { r.Binds = []string{"/usr"} }, `to mount /usr/bin needs binds = ["/usr/bin"]`},
		"a root file system":        {`"rootfs": "/usr/bin"`, func(r *config.Rule) { r.Binds = []string{"/usr"} }, `--rootfs /usr/bin needs binds = ["/usr/bin"]`},
		"a layer over one":          {`"rootfs": "/usr/bin", "rootfs_overlay": true`, func(r *config.Rule) { r.Binds = []string{"/usr:ro"} }, `--rootfs /usr/bin needs binds = ["/usr/bin:ro"]`},
		"a volume":                  {`"process": {"mounts": [{"destination": "/x", "type": "volume", "source": "ci-data"}]}`, func(r *config.Rule) { r.Volumes = []string{"ci-*"} }, `volume ci-data needs volumes = ["ci-data"]`},
		"another kind of mount":     {`"process": {"mounts": [{"destination": "/x", "type": "overlay", "source": "overlay", "options": ["lowerdir=/etc:/usr"]}]}`, feature("mounts"), `mount of type "overlay" at /x needs features = ["mounts"]`},
		"a disk as a mount":         {`"process": {"mounts": [{"destination": "/x", "type": "ext4", "source": "/dev/sda1"}]}`, feature("mounts"), `mount of type "ext4" at /x needs features = ["mounts"]`},
		"a remount":                 {`"process": {"mounts": [{"destination": "/sys", "type": "tmpfs", "options": ["remount", "rw"]}]}`, feature("mounts"), `option "remount" of the tmpfs at /sys needs features = ["mounts"]`},
		"a port":                    {`"network": "none", "publish": [{"host_port": 8080, "container_port": 80}]`, feature("publish"), `to publish ports needs features = ["publish"]`},
		"a low port":                {`"network": "none", "publish": [{"host_port": 80, "host_last": 2000, "container_port": 80}]`, feature("publish-low"), `to publish port 80 needs features = ["publish-low"]`},
		"all ports":                 {`"image": "x", "network": "none", "publish_all": true`, feature("publish"), `to publish ports needs features = ["publish"]`},
		"the network of a publish":  {`"publish": [{"container_port": 80}]`, func(r *config.Rule) { r.Features, r.Networks = []string{"publish"}, []string{"default"} }, `to publish ports needs features = ["publish"]`},
		"volumes of another":        {`"volumes_from": ["theirs"]`, func(r *config.Rule) { r.Allow = append(r.Allow, "others") }, `--volumes-from theirs: container theirs was made by user 61003, and that needs allow = ["others"]`},
		"processes of root's":       {`"process": {"pid": "container:roots"}`, func(r *config.Rule) { r.Allow = append(r.Allow, "others") }, `--pid container:roots: container roots was made by user root (0), and that needs allow = ["others"]`},
		"memory of an old one":      {`"process": {"ipc": "container:old"}`, func(r *config.Rule) { r.Allow = append(r.Allow, "others") }, `--ipc container:old: container old was made by nobody who is known, and that needs allow = ["others"]`},
		"the network of another":    {`"network": "container:id-theirs"`, func(r *config.Rule) { r.Allow = append(r.Allow, "others") }, `--network container:id-theirs: container id-theirs was made by user 61003, and that needs allow = ["others"]`},
		"the default network: host": {`"backend": "open"`, func(r *config.Rule) { r.Backends, r.Features = []string{"open"}, []string{"host-network"} }, `backend open needs backends = ["open"]`},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHost()
			status, message := ask(t, New(configured(t, run(nil))), h, ci, nil, "POST", create, "{"+tt.body+"}")
			if tt.with == nil {
				if status != http.StatusOK || h.created == nil {
					t.Fatalf("got %d %s, want it to be allowed", status, message)
				}
				return
			}
			if status != http.StatusForbidden || h.created != nil || !strings.Contains(message, escaped(tt.want)) || !strings.Contains(message, `davit reload`) {
				t.Errorf("without: got %d %s, want %q", status, message, tt.want)
			}
			if status, message = ask(t, New(configured(t, run(tt.with))), h, ci, nil, "POST", create, "{"+tt.body+"}"); status != http.StatusOK || h.created == nil {
				t.Errorf("with: got %d %s", status, message)
			}
		})
	}
}

// escaped returns text as a string of JSON has it.
func escaped(text string) string {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(text)
	return strings.Trim(strings.TrimSpace(b.String()), `"`)
}

// TestOneRule: what two rules allow does not add up.
func TestOneRule(t *testing.T) {
	g := New(configured(t,
		config.Rule{Name: "plain", Allow: []string{"run"}, Backends: []string{"main"}},
		config.Rule{Name: "sandbox", Allow: []string{"run"}, Backends: []string{"open"}, Features: []string{"privileged", "host-network"}},
	))
	for body, want := range map[string]int{
		`{}`:                                http.StatusOK,
		`{"process": {"privileged": true}}`: http.StatusForbidden,
		`{"backend": "open"}`:               http.StatusOK,
		`{"backend": "open", "process": {"privileged": true}}`: http.StatusOK,
	} {
		if got, message := ask(t, g, newHost(), ci, nil, "POST", create, body); got != want {
			t.Errorf("%s: got %d %s, want %d", body, got, message, want)
		}
	}
}

// TestWrittenDown: the host is given what was decided on, so that nothing depends on what it
// would find later.
func TestWrittenDown(t *testing.T) {
	g := New(configured(t, config.Rule{
		Allow: []string{"run"}, Backends: []string{"*"}, Runtimes: []string{"runc"}, Features: []string{"host-network"}, Binds: []string{"/usr/bin:ro"},
	}))
	h := newHost()
	status, message := ask(t, g, h, ci, nil, "POST", create, `{"request_id": "r", "backend": "open", "volumes_from": ["mine:ro"],
		"process": {"pid": "container:mine", "mounts": [{"destination": "/x", "type": "bind", "source": "/usr//bin/", "options": ["rbind", "ro", "rprivate"]}]}}`)
	if status != http.StatusOK {
		t.Fatalf("got %d %s", status, message)
	}
	o := h.created
	if o.Runtime != "runc" || o.Network != "host" || o.Process.PID != "container:id-mine" || !slices.Equal(o.VolumesFrom, []string{"id-mine:ro"}) || o.RequestID != "user 61001: r" {
		t.Errorf("got %+v", o)
	}
	if m := o.Process.Mounts[0]; m.Source != "/usr/bin" || !slices.Equal(m.Options, []string{"bind", "ro", "rprivate"}) {
		t.Errorf("got %+v: without the mounts below, which could be written", m)
	}
	if status, message = ask(t, g, h, ci, nil, "POST", create, `{}`); status != http.StatusOK || h.created.Backend != "main" {
		t.Errorf("got %d %s, %+v", status, message, h.created)
	}
}

// TestUnknown: what the table does not know is refused, be it new or not.
func TestUnknown(t *testing.T) {
	g := New(configured(t, config.Rule{Allow: config.Verbs(), Backends: []string{"*"}, Features: config.Features()}))
	caller := &api.Caller{UID: ci}
	type later struct {
		api.ContainerOptions
		Later struct {
			Power bool `json:"power"`
		} `json:"later"`
	}
	request := &later{}
	if err := g.Allow(t.Context(), caller, api.NewAsked("Create", request, newHost())); err != nil {
		t.Errorf("without: %v", err)
	}
	request.Later.Power = true
	var denied *api.DeniedError
	if err := g.Allow(t.Context(), caller, api.NewAsked("Create", request, newHost())); !errors.As(err, &denied) || !strings.Contains(err.Error(), `do not know "later.power"`) {
		t.Errorf("a member that is new: got %v", err)
	}
	if err := g.Allow(t.Context(), caller, api.NewAsked("Later", &struct{}{}, newHost())); !errors.As(err, &denied) {
		t.Errorf("a route that is new: got %v", err)
	}
	// What is in lists is looked at, too.
	if status, message := ask(t, g, newHost(), ci, nil, "POST", create, `{"process": {"mounts": [{"destination": "/x", "type": "volume"}, {"destination": "/y", "type": "tmpfs", "uidMappings": [{"containerID": 0, "hostID": 0, "size": 1}]}]}}`); status != http.StatusForbidden || !strings.Contains(message, "process.mounts.uidMappings") {
		t.Errorf("a member in a list: got %d %s", status, message)
	}
}

// TestVerbs: what a rule allows, with the own containers and those of others.
func TestVerbs(t *testing.T) {
	type request struct{ method, path, body string }
	list := request{"GET", create, ""}
	pause := func(of string) request { return request{"POST", create + "/" + of + "/pause", ""} }
	exec := func(of, body string) request { return request{"POST", create + "/" + of + "/execs", body} }
	inspect := func(of string) request { return request{"GET", create + "/" + of, ""} }
	commit := func(of string) request { return request{"POST", create + "/" + of + "/commit", `{"name": "x"}`} }
	connect := func(of string) request {
		return request{"POST", "/v1/networks/lan/connect", `{"container": "` + of + `"}`}
	}
	volume := func(name string) request { return request{"POST", "/v1/volumes", `{"name": "` + name + `"}`} }
	for name, tt := range map[string]struct {
		rule  config.Rule
		asked request
		want  int
	}{
		"read: list":             {config.Rule{Allow: []string{"read"}}, list, 200},
		"read: own":              {config.Rule{Allow: []string{"read"}}, inspect("mine"), 200},
		"read: another's":        {config.Rule{Allow: []string{"read"}}, inspect("theirs"), 403},
		"read: one that is not":  {config.Rule{Allow: []string{"read"}}, inspect("none"), 404},
		"read: run":              {config.Rule{Allow: []string{"read"}}, request{"POST", create, "{}"}, 403},
		"read: pause":            {config.Rule{Allow: []string{"read"}}, pause("mine"), 403},
		"read: exec":             {config.Rule{Allow: []string{"read"}}, exec("mine", `{"args": ["x"]}`), 403},
		"run: pause":             {config.Rule{Allow: []string{"run"}}, pause("mine"), 204},
		"run: by its id":         {config.Rule{Allow: []string{"run"}}, pause("id-mine"), 204},
		"run: another's":         {config.Rule{Allow: []string{"run"}}, pause("theirs"), 403},
		"run: root's":            {config.Rule{Allow: []string{"run"}}, pause("roots"), 403},
		"run: an old one":        {config.Rule{Allow: []string{"run"}}, pause("old"), 403},
		"run: exec":              {config.Rule{Allow: []string{"run"}}, exec("mine", `{"args": ["x"], "user": "root"}`), 200},
		"run: exec in another's": {config.Rule{Allow: []string{"run"}}, exec("roots", `{"args": ["x"]}`), 403},
		"run: exec --privileged": {config.Rule{Allow: []string{"run"}, Backends: []string{"main"}}, exec("mine", `{"args": ["x"], "privileged": true}`), 403},
		"privileged: exec":       {config.Rule{Allow: []string{"run"}, Backends: []string{"main"}, Features: []string{"privileged"}}, exec("mine", `{"args": ["x"], "privileged": true}`), 200},
		"privileged: elsewhere":  {config.Rule{Allow: []string{"run"}, Backends: []string{"open"}, Features: []string{"privileged"}}, exec("mine", `{"args": ["x"], "privileged": true}`), 403},
		"run: commit":            {config.Rule{Allow: []string{"run"}}, commit("mine"), 403},
		"images: commit":         {config.Rule{Allow: []string{"run", "images"}}, commit("mine"), 200},
		"images: of another's":   {config.Rule{Allow: []string{"run", "images"}}, commit("theirs"), 403},
		"run: connect":           {config.Rule{Allow: []string{"run"}}, connect("mine"), 403},
		"network: connect":       {config.Rule{Allow: []string{"run"}, Networks: []string{"lan"}}, connect("mine"), 204},
		"network: another's":     {config.Rule{Allow: []string{"run"}, Networks: []string{"lan"}}, connect("theirs"), 403},
		"run: a volume":          {config.Rule{Allow: []string{"run"}}, volume("data"), 403},
		"run: an anonymous one":  {config.Rule{Allow: []string{"run"}}, volume(""), 200},
		"volume: by its name":    {config.Rule{Allow: []string{"run"}, Volumes: []string{"da?a"}}, volume("data"), 200},
		"run: volumes":           {config.Rule{Allow: []string{"run"}}, request{"GET", "/v1/volumes", ""}, 200},
		"read-others: inspect":   {config.Rule{Allow: []string{"read-others"}}, inspect("roots"), 200},
		"read-others: pause":     {config.Rule{Allow: []string{"read-others"}}, pause("roots"), 403},
		"others: pause":          {config.Rule{Allow: []string{"others"}}, pause("roots"), 204},
		"others: exec":           {config.Rule{Allow: []string{"others"}}, exec("roots", `{"args": ["x"]}`), 200},
		"all: reload":            {config.Rule{Allow: config.Verbs()}, request{"POST", "/v1/reload", ""}, 403},
		"nothing: version":       {config.Rule{Users: []string{"1"}, Allow: config.Verbs()}, request{"GET", "/v1/version", ""}, 200},
		"nothing: list":          {config.Rule{Users: []string{"1"}, Allow: config.Verbs()}, list, 403},
		"nothing: inspect":       {config.Rule{Users: []string{"1"}, Allow: config.Verbs()}, inspect("none"), 403},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHost()
			got, message := ask(t, New(configured(t, tt.rule)), h, ci, nil, tt.asked.method, tt.asked.path, tt.asked.body)
			if got != tt.want || got == 403 && len(h.calls) > 0 {
				t.Errorf("got %d %s, want %d; the host was asked for %q", got, message, tt.want, h.calls)
			}
			if got < 300 && len(h.calls) > 0 && strings.Contains(h.calls[0], " mine") {
				t.Errorf("the host was asked for %q, want the id", h.calls)
			}
		})
	}
}

// TestList: others see their own containers, unless a rule says otherwise.
func TestList(t *testing.T) {
	for verb, want := range map[string]int{"read": 1, "read-others": 4} {
		_, body := ask(t, New(configured(t, config.Rule{Allow: []string{verb}})), newHost(), ci, nil, "GET", create, "")
		var list []api.Container
		if err := json.Unmarshal([]byte(body), &list); err != nil || len(list) != want {
			t.Errorf("%s: got %s, %v", verb, body, err)
		}
	}
}

// TestSet changes the rules between two requests.
func TestSet(t *testing.T) {
	cfg := configured(t)
	g := New(cfg)
	steps := []struct {
		change func()
		want   int
	}{
		{func() {}, 403},
		{func() {
			cfg.Rules = []config.Rule{{Name: "a", Users: []string{"61001"}, Allow: []string{"read"}}}
		}, 200},
		{func() { cfg.Rules = nil }, 403}, // none is no reason to allow all
		{func() { cfg.API.Rules = false }, 200},
	}
	for i, step := range steps {
		step.change()
		g.Set(cfg)
		if got, message := ask(t, g, newHost(), ci, nil, "GET", create, ""); got != step.want {
			t.Errorf("step %d: got %d %s, want %d", i, got, message, step.want)
		}
	}
}
