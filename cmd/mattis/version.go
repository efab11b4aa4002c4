package main

import (
	"cmp"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"github.com/spf13/cobra"
	xcpu "golang.org/x/sys/cpu"

	"mattis/compute/cpu"
	"mattis/run"
)

func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Print the version, the compiler and the kernels in use",
		Example: "  mattis version",
		Args:    exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			arm, err := cpu.Arch()
			if err != nil {
				return err
			}
			of := "revision unknown: built without -buildvcs"
			if revision, changed := revision(); revision != "" {
				of = "revision " + revision
				if changed {
					of += ", with changes"
				}
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "mattis %s %s %s/%s kernels:%s\n%s\n", version(), runtime.Version(), runtime.GOOS, runtime.GOARCH, arm, of)
			return err
		},
	}
}

// What the linker sets where a release is made (tools/release): its version and the revision of its source.
var released, releasedRevision string

// version returns that of the release, else the module's and, where the build knows it, the revision of its source.
func version() string {
	if released != "" {
		return released
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "(devel)"
	}
	version := cmp.Or(info.Main.Version, "(devel)")
	revision, changed := revision()
	if len(revision) > 12 {
		revision = revision[:12]
	}
	if revision == "" || strings.Contains(version, revision) {
		return version
	}
	if changed {
		revision += "+changes"
	}
	return version + "-" + revision
}

// revision returns the revision of the source that was built, "" where the build does not know it,
// and whether there were changes beside it.
func revision() (revision string, changed bool) {
	if released != "" {
		return strings.CutSuffix(releasedRevision, "+changes")
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "", false
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			revision = s.Value
		case "vcs.modified":
			changed = s.Value == "true"
		}
	}
	return revision, changed
}

// environment describes this process for env.json.
func environment(threads int, arm string) run.Session {
	return run.Session{
		Version: version(), Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH,
		CPU: features(), Arm: arm, Threads: threads, Start: time.Now().UTC().Truncate(time.Second), Command: os.Args,
	}
}

// features returns what of the processor kernels may use.
func features() []string {
	list := []string{}
	for _, f := range []struct {
		name string
		has  bool
	}{
		{"avx2", xcpu.X86.HasAVX2}, {"fma", xcpu.X86.HasFMA}, {"avx512f", xcpu.X86.HasAVX512F}, {"avx512dq", xcpu.X86.HasAVX512DQ},
		{"avx512bw", xcpu.X86.HasAVX512BW}, {"avx512vl", xcpu.X86.HasAVX512VL}, {"asimd", xcpu.ARM64.HasASIMD},
	} {
		if f.has {
			list = append(list, f.name)
		}
	}
	return list
}
