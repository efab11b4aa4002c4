package watch

import (
	"syscall"
	"testing"
)

// mountReadOnly mounts a folder onto itself for reading alone, until the test ends.
func mountReadOnly(t *testing.T, dir string) error {
	if err := syscall.Mount(dir, dir, "", syscall.MS_BIND, ""); err != nil {
		return err
	}
	t.Cleanup(func() { syscall.Unmount(dir, syscall.MNT_DETACH) })
	return syscall.Mount("", dir, "", syscall.MS_REMOUNT|syscall.MS_BIND|syscall.MS_RDONLY, "")
}
