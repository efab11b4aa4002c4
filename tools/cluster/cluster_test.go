// Package cluster tests the templates of docs/cluster: as people run them, with the program that MATTIS
// names, or one that is built for the test. slurm.sh beside it does so on a real Slurm.
package cluster

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	batch "k8s.io/api/batch/v1"
	core "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

const docs = "../../docs"

// folder has the program as bin/mattis.
var folder = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "mattis-cluster-")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "mattis")
	if named := os.Getenv("MATTIS"); named != "" {
		return dir, os.Symlink(named, path)
	}
	cmd := exec.Command("go", "build", "-o", path, "./cmd/mattis")
	cmd.Dir = "../.."
	cmd.Stderr = os.Stderr
	return dir, cmd.Run()
})

func TestMain(m *testing.M) {
	code := m.Run()
	if dir, err := folder(); err == nil {
		os.RemoveAll(dir)
	}
	os.Exit(code)
}

// call runs a command in a folder, mattis on the path and machines tiny. Any goroutine may call it.
func call(t *testing.T, dir string, env []string, name string, args ...string) {
	t.Helper()
	bin, err := folder()
	if err != nil {
		t.Error(err)
		return
	}
	if name == "mattis" {
		name = filepath.Join(bin, name)
	}
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	path := bin + string(os.PathListSeparator) + os.Getenv("PATH")
	cmd.Env = append(os.Environ(), "MATTIS_MINIATURE=1", "PATH="+path)
	cmd.Env = append(cmd.Env, env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%s %v: %v\n%s", name, args, err, out)
	}
}

func read(t *testing.T, path ...string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// same wants the figure in two folders to have the same data.
func same(t *testing.T, one, other string) {
	t.Helper()
	if a, b := read(t, one, "3a.csv"), read(t, other, "3a.csv"); !bytes.Equal(a, b) {
		t.Errorf("the data of one process:\n%s\nof several:\n%s", a, b)
	}
}

// TestKubernetes wants the manifest to be what the types of Kubernetes are, without a field that they do
// not know, and runs the container's command as each pod of the job does.
func TestKubernetes(t *testing.T) {
	manifests := bytes.Split(read(t, docs, "cluster/kubernetes.yaml"), []byte("\n---\n"))
	if len(manifests) != 2 {
		t.Fatalf("%d manifests, want a volume and a job", len(manifests))
	}
	var claim core.PersistentVolumeClaim
	if err := yaml.UnmarshalStrict(manifests[0], &claim); err != nil {
		t.Fatal(err)
	}
	var job batch.Job
	if err := yaml.UnmarshalStrict(manifests[1], &job); err != nil {
		t.Fatal(err)
	}
	pod := job.Spec.Template.Spec
	container := pod.Containers[0]
	if job.Kind != "Job" || job.APIVersion != "batch/v1" || claim.Kind != "PersistentVolumeClaim" {
		t.Errorf("kinds %s %s, %s", job.APIVersion, job.Kind, claim.Kind)
	}
	if *job.Spec.CompletionMode != batch.IndexedCompletion || pod.RestartPolicy != core.RestartPolicyNever {
		t.Errorf("mode %v, policy %v", *job.Spec.CompletionMode, pod.RestartPolicy)
	}
	volume, mounted := pod.Volumes[0], container.VolumeMounts[0]
	if volume.PersistentVolumeClaim.ClaimName != claim.Name || volume.Name != mounted.Name {
		t.Errorf("volumes %+v of claim %s", pod.Volumes, claim.Name)
	}
	dir := t.TempDir()
	args := append([]string{}, container.Args...)
	for i := range args {
		if args[i] == "100" {
			args[i] = "2"
		}
		if rest, ok := strings.CutPrefix(args[i], container.VolumeMounts[0].MountPath); ok {
			args[i] = dir + rest
		}
	}
	var pods sync.WaitGroup
	for k := range int(*job.Spec.Completions) {
		pods.Go(func() { call(t, dir, []string{"JOB_COMPLETION_INDEX=" + strconv.Itoa(k)}, "mattis", args...) })
	}
	pods.Wait()
	out := filepath.Join(dir, "figures")
	if _, err := os.Stat(filepath.Join(out, "3a.csv")); err == nil {
		t.Error("a part has drawn")
	}
	call(t, dir, nil, "mattis", "figure", "3a", "--instances", "2", "--out", out)
	call(t, dir, nil, "mattis", "figure", "3a", "--instances", "2", "--out", "whole")
	same(t, filepath.Join(dir, "whole"), out)
}

// TestParallel runs the script of GNU parallel.
func TestParallel(t *testing.T) {
	out, err := exec.Command("parallel", "--version").Output()
	if err != nil || !bytes.Contains(out, []byte("GNU parallel")) {
		t.Skip("no GNU parallel here: nobody tried docs/cluster/parallel.sh")
	}
	dir := t.TempDir()
	script, err := filepath.Abs(filepath.Join(docs, "cluster", "parallel.sh"))
	if err != nil {
		t.Fatal(err)
	}
	call(t, dir, nil, script, "3a", "parts", "3", "--instances", "2")
	call(t, dir, nil, "mattis", "figure", "3a", "--instances", "2", "--out", "whole")
	same(t, filepath.Join(dir, "whole"), filepath.Join(dir, "parts"))
}

// TestDocs wants the page to show every template as it is.
func TestDocs(t *testing.T) {
	page := string(read(t, docs, "cluster.md"))
	files, err := filepath.Glob(filepath.Join(docs, "cluster", "*"))
	if err != nil || len(files) < 4 {
		t.Fatalf("%v, %v", files, err)
	}
	for _, f := range files {
		if text := string(read(t, f)); !strings.Contains(page, "\n"+text+"```\n") {
			t.Errorf("docs/cluster.md does not have %s as it is", filepath.Base(f))
		}
	}
}
