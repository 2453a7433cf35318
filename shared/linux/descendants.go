package linux

// Descendant is a process that descends from another, and what its stat said.
type Descendant struct {
	PID int
	Stat
}

// Descendants returns the processes that descend from one, zombies too, each after its
// parent.
func Descendants(pid int) (found []Descendant) {
	children := make(map[int][]Descendant)
	pids, _ := PIDs()
	for _, pid := range pids {
		if s, err := StatOf(pid); err == nil {
			children[s.Parent] = append(children[s.Parent], Descendant{pid, s})
		}
	}
	found = append(found, children[pid]...)
	for i := 0; i < len(found); i++ {
		found = append(found, children[found[i].PID]...)
	}
	return found
}
