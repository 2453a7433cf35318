package doctor

// Status is how bad a finding is.
type Status string

const (
	OK Status = "ok"
	// Warn is what works, and should be seen to.
	Warn Status = "warn"
	// Fail is what keeps containers from running, or lets them out.
	Fail Status = "fail"
	// Unknown is what could not be looked at.
	Unknown Status = "unknown"
)

// Finding is what a check has found.
type Finding struct {
	// Check is the name of the check.
	Check  string `json:"check"`
	Status Status `json:"status"`
	// Found says what there is, Remedy what to do about it.
	Found  string `json:"found"`
	Remedy string `json:"remedy,omitempty"`
}

// Findings are findings in the order of the checks.
type Findings []Finding

// Count returns how many findings have a status.
func (fs Findings) Count(s Status) (n int) {
	for _, f := range fs {
		if f.Status == s {
			n++
		}
	}
	return n
}
