package store

import "time"

// Checkpoint is the state of a container's processes, which is written down, or being
// written.
type Checkpoint struct {
	// Name is unique among the container's.
	Name string `json:"name"`
	// Attempt is the one that is written down. LeaveRunning lets it run on.
	Attempt      int       `json:"attempt"`
	LeaveRunning bool      `json:"leave_running,omitempty"`
	CreatedAt    time.Time `json:"created_at"`
}

// Checkpoint returns a checkpoint of the container by its name, or nil.
func (c *Container) Checkpoint(name string) *Checkpoint {
	for i := range c.Checkpoints {
		if c.Checkpoints[i].Name == name {
			return &c.Checkpoints[i]
		}
	}
	return nil
}

// EndsBy returns the checkpoint that is being made and ends the present attempt, or nil.
func (c *Container) EndsBy() *Checkpoint {
	if k := c.Checkpointing; k != nil && !k.LeaveRunning && k.Attempt == c.Attempt {
		return k
	}
	return nil
}
