package negative

import "mattis/sampler"

// Freeze makes the present parameters of the machine a rung before it, as Settle does by itself.
func (t *Trajectory) Freeze() {
	t.read()
	t.freeze()
	t.write()
}

// Ladder returns the replicas of all rungs. Their machines and replicas are as the last Draw or Settle
// left them; rung 0 is the present machine's.
func (t *Trajectory) Ladder() *sampler.Trajectory { return t.ladder }
