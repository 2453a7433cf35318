package access

import (
	"maps"
	"slices"
	"strings"

	"github.com/davit-run/davit/host/config"
)

// Besides the words of the rules, a route may be for whoever can connect, or for root alone.
const (
	anyone   = "anyone"
	rootOnly = "root"
)

// need is what a caller needs for the requests of a route.
type need struct {
	// may is a word of config.Verbs, anyone or rootOnly. If the request is about a container,
	// it is that for one of the caller's own: for those of others it is read-others in the
	// place of read, and else others.
	may string
	// container is the name of the parameter that names the container.
	container string
	// parameters are the names of those that the request may have.
	parameters string
	// of, if not nil, decides about the rest of the request.
	of func(*decision) error
	// own means that the reply lists the own containers only, unless a rule says otherwise.
	own bool
}

func (n need) knows() []string { return strings.Fields(n.parameters) }

// Needs returns the word of the rules that each route needs, "anyone" or "root", by the name of
// the route.
func Needs() map[string]string {
	all := map[string]string{}
	for _, route := range slices.Sorted(maps.Keys(needs)) {
		all[route] = needs[route].may
	}
	return all
}

const (
	logParameters  = " follow tail stdout stderr since until timestamps from_stdout from_stderr"
	execParameters = " id args env cwd user privileged stdin terminal console.width console.height keep"
)

// needs has all routes, by name.
var needs = map[string]need{
	// What tells nothing of anybody.
	"Routes":  {may: anyone},
	"OpenAPI": {may: anyone},
	"Version": {may: anyone},
	"Live":    {may: anyone},
	"Ready":   {may: anyone, parameters: "backend"},

	// What the host has.
	"Backends":       {may: config.MayRead},
	"Runtimes":       {may: config.MayRead, parameters: "name"},
	"Check":          {may: config.MayRead, parameters: "name"},
	"CheckNetworks":  {may: config.MayRead},
	"Images":         {may: config.MayRead},
	"BackendImages":  {may: config.MayRead, parameters: "name"},
	"InspectImage":   {may: config.MayRead, parameters: "ref"},
	"ImageHistory":   {may: config.MayRead, parameters: "ref"},
	"Volumes":        {may: config.MayRead},
	"InspectVolume":  {may: config.MayRead, parameters: "name"},
	"Networks":       {may: config.MayRead},
	"InspectNetwork": {may: config.MayRead, parameters: "name"},
	"List":           {may: config.MayRead, parameters: "state backend label", own: true},

	// What tells of all containers.
	"Events":       {may: config.MayReadOthers, parameters: "after tail follow"},
	"WriteMetrics": {may: config.MayReadOthers},
	"DiskUsage":    {may: config.MayReadOthers},

	// One container, without changing it.
	"Inspect":     {may: config.MayRead, container: "ref", parameters: "ref"},
	"Logs":        {may: config.MayRead, container: "ref", parameters: "ref attempt from_attempt" + logParameters},
	"LogText":     {may: config.MayRead, container: "ref", parameters: "ref attempt from_attempt" + logParameters},
	"LogLines":    {may: config.MayRead, container: "ref", parameters: "ref attempt from_attempt" + logParameters},
	"Checkpoints": {may: config.MayRead, container: "ref", parameters: "ref"},
	"Attach":      {may: config.MayRead, container: "ref", parameters: "ref attempt from_attempt" + logParameters},
	"Stats":       {may: config.MayRead, container: "ref", parameters: "ref"},
	"Processes":   {may: config.MayRead, container: "ref", parameters: "ref"},
	"Diff":        {may: config.MayRead, container: "ref", parameters: "ref"},
	"WaitAttempt": {may: config.MayRead, container: "ref", parameters: "ref attempt condition"},
	"Execs":       {may: config.MayRead, container: "ref", parameters: "ref"},
	"InspectExec": {may: config.MayRead, container: "ref", parameters: "ref exec"},
	"WaitExec":    {may: config.MayRead, container: "ref", parameters: "ref exec"},
	"ExecLogs":    {may: config.MayRead, container: "ref", parameters: "ref exec" + logParameters},

	// A new container.
	"Create":      {may: config.MayRun, parameters: createParameters, of: (*decision).create},
	"RunAttached": {may: config.MayRun, parameters: createParameters, of: (*decision).create},
	"RunStreams":  {may: config.MayRun, parameters: createParameters + " client", of: (*decision).create},

	// One container. What is in it, its secrets too, is its owner's, so that files are not
	// just read.
	"Start":         {may: config.MayRun, container: "ref", parameters: "ref"},
	"StopWith":      {may: config.MayRun, container: "ref", parameters: "ref timeout signal"},
	"RestartWith":   {may: config.MayRun, container: "ref", parameters: "ref timeout signal"},
	"Kill":          {may: config.MayRun, container: "ref", parameters: "ref signal"},
	"Pause":         {may: config.MayRun, container: "ref", parameters: "ref"},
	"Resume":        {may: config.MayRun, container: "ref", parameters: "ref"},
	"RemoveWith":    {may: config.MayRun, container: "ref", parameters: "ref force volumes"},
	"Rename":        {may: config.MayRun, container: "ref", parameters: "ref name"},
	"Update":        {may: config.MayRun, container: "ref", parameters: "ref restart " + limitParameters},
	"StatPath":      {may: config.MayRun, container: "ref", parameters: "ref path follow"},
	"CopyFrom":      {may: config.MayRun, container: "ref", parameters: "ref path follow name"},
	"CopyTo":        {may: config.MayRun, container: "ref", parameters: "ref path keep_owners content"},
	"Export":        {may: config.MayRun, container: "ref", parameters: "ref"},
	"AttachStreams": {may: config.MayRun, container: "ref", parameters: "ref attempt start now keep_input client from_stdout from_stderr"},
	"Exec":          {may: config.MayRun, container: "ref", parameters: "ref" + execParameters, of: (*decision).exec},
	"ExecAttached":  {may: config.MayRun, container: "ref", parameters: "ref from_stdout from_stderr" + execParameters, of: (*decision).exec},
	// The processes are those of the container, and what is written of them is the host's.
	"CreateCheckpoint": {may: config.MayRun, container: "ref", parameters: "ref name leave_running"},
	"RemoveCheckpoint": {may: config.MayRun, container: "ref", parameters: "ref name"},
	"StartCheckpoint":  {may: config.MayRun, container: "ref", parameters: "ref name"},
	"KillExec":         {may: config.MayRun, container: "ref", parameters: "ref exec signal"},
	// It makes an image, too.
	"Commit":            {may: config.MayRun, container: "ref", parameters: "ref name author message changes no_pause", of: (*decision).commit},
	"ConnectNetwork":    {may: config.MayRun, container: "container", parameters: "name container ip ip6 aliases", of: (*decision).ofNetwork},
	"DisconnectNetwork": {may: config.MayRun, container: "container", parameters: "name container force", of: (*decision).ofNetwork},

	// Volumes whose names a rule has.
	"CreateVolume": {may: config.MayRun, parameters: "name labels", of: (*decision).ofVolume},
	"RemoveVolume": {may: config.MayRun, parameters: "name", of: (*decision).ofVolume},

	// Images, which all users share.
	"PullImage":   {may: config.MayPull, parameters: "name platform"},
	"LoadImages":  {may: config.MayChangeImages, parameters: "platform archive"},
	"ImportImage": {may: config.MayChangeImages, parameters: "name platform change message archive"},
	"TagImage":    {may: config.MayChangeImages, parameters: "ref name"},
	"RemoveImage": {may: config.MayChangeImages, parameters: "ref force"},
	"PruneImages": {may: config.MayChangeImages, parameters: "all dry_run"},
	"CheckImage":  {may: config.MayChangeImages, parameters: "ref repair"},
	"SaveImages":  {may: config.MayChangeImages, parameters: "references"},
	"PushImage":   {may: config.MayChangeImages, parameters: "name"},

	// What concerns the host as a whole: its config, credentials and memory, what belongs to
	// nobody or to all, and subnets, which can take traffic from the machine.
	"Reload":         {may: rootOnly},
	"RestartBackend": {may: rootOnly},
	"Login":          {may: rootOnly},
	"Logout":         {may: rootOnly},
	"Profile":        {may: rootOnly},
	"Prune":          {may: rootOnly},
	"PruneVolumes":   {may: rootOnly},
	"CreateNetwork":  {may: rootOnly},
	"RemoveNetwork":  {may: rootOnly},
	"PruneNetworks":  {may: rootOnly},
	"Strays":         {may: rootOnly},
	"AdoptStray":     {may: rootOnly},
	"RemoveStray":    {may: rootOnly},
}
