package cpu

import "testing"

func TestForceAndUndo(t *testing.T) {
	before, err := Arch()
	if err != nil {
		t.Fatal(err)
	}
	undo, err := Force("generic")
	if err != nil {
		t.Fatal(err)
	}
	e := newEngine(t, 1)
	if name, _ := Arch(); name != "generic" || e.kernels != generic {
		t.Errorf("forced generic, got %s and an engine on %s", name, e.kernels.name)
	}
	undo()
	if name, _ := Arch(); name != before {
		t.Errorf("undone to %s, was %s", name, before)
	}
	if _, err := Force("sse9"); err == nil {
		t.Error("an unknown arm is taken")
	}
}

func TestMattisArch(t *testing.T) {
	set := func(name string) (string, error) {
		t.Setenv("MATTIS_ARCH", name)
		chosen.set, chosen.err = false, nil
		return Arch()
	}
	defer func() {
		t.Setenv("MATTIS_ARCH", "")
		chosen.set, chosen.err = false, nil
	}()
	for _, name := range Arms() {
		if got, err := set(name); got != name || err != nil {
			t.Errorf("MATTIS_ARCH=%s gives %s, %v", name, got, err)
		}
	}
	if got, err := set("sse9"); err == nil || got != best().name {
		t.Errorf("MATTIS_ARCH=sse9 gives %s, %v; want %s and an error", got, err, best().name)
	}
}
