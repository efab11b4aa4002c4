package main

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"mattis/data"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"mattis": func() { os.Exit(Main()) }})
}

// TestScripts runs the scripts of testdata/script, one a behaviour of the command line.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("MATTIS_DATA", os.Getenv("MATTIS_DATA"))
			cache, err := os.UserCacheDir()
			env.Setenv("XDG_CACHE_HOME", cache)
			return err
		},
		Condition: func(name string) (bool, error) {
			if name != "mnist" {
				return false, errors.New("unknown condition " + name)
			}
			_, err := data.FindMNIST("")
			return err == nil, nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"exits":   exits,
			"stopped": stopped,
			"served":  served,
			"watched": watched,
			"same":    same,
			"flip":    flip,

			"timeless": timeless,
		},
	})
}

// exits CODE ARGS... runs the program with the arguments and wants that exit code.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	want, err := strconv.Atoi(args[0])
	if neg || err != nil {
		ts.Fatalf("usage: exits CODE ARGS...")
	}
	if got := exitCode(ts.Exec("mattis", args[1:]...)); got != want {
		ts.Fatalf("mattis %q: exit code %d, want %d", args[1:], got, want)
	}
}

func exitCode(err error) int {
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		return exit.ExitCode()
	}
	return -2
}

// stopped SIGNAL GLOB CODE ARGS... runs the program, sends the signal (INT, TERM, HUP or KILL) as soon
// as a file matches, and wants that exit code, -1 of a process that was killed. The file stopped.err has what it said.
func stopped(ts *testscript.TestScript, neg bool, args []string) {
	sent, ok := map[string]syscall.Signal{"INT": syscall.SIGINT, "TERM": syscall.SIGTERM, "HUP": syscall.SIGHUP, "KILL": syscall.SIGKILL}[args[0]]
	want, err := strconv.Atoi(args[2])
	if neg || !ok || err != nil {
		ts.Fatalf("usage: stopped INT|TERM|HUP|KILL GLOB CODE ARGS...")
	}
	if sent == syscall.SIGHUP && signal.Ignored(syscall.SIGHUP) { // under nohup, and so does the program
		sent = syscall.SIGTERM
	}
	// testscript leaves the program under its name in the PATH of the scripts.
	path, err := exec.LookPath("mattis")
	ts.Check(err)
	cmd := exec.Command(path, args[3:]...)
	cmd.Dir = ts.MkAbs(".")
	cmd.Env = append(os.Environ(), "MATTIS_MINIATURE="+ts.Getenv("MATTIS_MINIATURE"))
	errs, err := os.Create(ts.MkAbs("stopped.err"))
	ts.Check(err)
	defer errs.Close()
	cmd.Stderr = errs
	ts.Check(cmd.Start())
	deadline := time.Now().Add(time.Minute)
	for {
		if found, _ := filepath.Glob(ts.MkAbs(args[1])); len(found) > 0 {
			break
		}
		if time.Now().After(deadline) {
			cmd.Process.Kill()
			ts.Fatalf("no file matches %s after a minute", args[1])
		}
		time.Sleep(time.Millisecond)
	}
	ts.Check(cmd.Process.Signal(sent))
	if got := exitCode(cmd.Wait()); got != want {
		ts.Fatalf("mattis %q, stopped by %s: exit code %d, want %d", args[3:], args[0], got, want)
	}
}

// served STATUS ARGS... runs the program, wants that status from the address in its first line, interrupts it, and wants it
// to end well.
func served(ts *testscript.TestScript, neg bool, args []string) {
	want, err := strconv.Atoi(args[0])
	if neg || err != nil {
		ts.Fatalf("usage: served STATUS ARGS...")
	}
	path, err := exec.LookPath("mattis")
	ts.Check(err)
	cmd := exec.Command(path, args[1:]...)
	cmd.Dir = ts.MkAbs(".")
	out, err := cmd.StdoutPipe()
	ts.Check(err)
	ts.Check(cmd.Start())
	timer := time.AfterFunc(time.Minute, func() { cmd.Process.Kill() })
	defer timer.Stop()
	line, err := bufio.NewReader(out).ReadString('\n')
	ts.Check(err)
	place, err := url.Parse(strings.TrimSpace(line))
	ts.Check(err)
	place.Host = net.JoinHostPort("localhost", place.Port()) // a machine need not know its own name
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	answer, err := client.Get(place.String())
	ts.Check(err)
	answer.Body.Close()
	ts.Check(cmd.Process.Signal(os.Interrupt))
	if code := exitCode(cmd.Wait()); answer.StatusCode != want || code != 0 {
		ts.Fatalf("mattis %q: %s gave status %d, want %d; exit code %d, want 0", args[1:], place, answer.StatusCode, want, code)
	}
}

// watched CODE STATE ARGS... runs a training with --watch, reads its page and the stream of events
// to their end, and wants that exit code, the run as it trains and in that state last. Where the
// code is 130 it interrupts the training when it sees it. The files watched.out and watched.err have
// what it said.
func watched(ts *testscript.TestScript, neg bool, args []string) {
	want, err := strconv.Atoi(args[0])
	if neg || err != nil || len(args) < 3 {
		ts.Fatalf("usage: watched CODE STATE ARGS...")
	}
	path, err := exec.LookPath("mattis")
	ts.Check(err)
	cmd := exec.Command(path, args[2:]...)
	cmd.Dir = ts.MkAbs(".")
	out, err := os.Create(ts.MkAbs("watched.out"))
	ts.Check(err)
	defer out.Close()
	cmd.Stdout = out
	pipe, err := cmd.StderrPipe()
	ts.Check(err)
	ts.Check(cmd.Start())
	timer := time.AfterFunc(time.Minute, func() { cmd.Process.Kill() })
	defer timer.Stop()
	said := bufio.NewReader(pipe)
	text, place := "", ""
	for place == "" {
		line, err := said.ReadString('\n')
		text += line
		if err != nil {
			cmd.Wait()
			ts.Fatalf("mattis %q says no address: %s", args[2:], text)
		}
		if fields := strings.Fields(line); len(fields) > 1 && fields[0] == "page:" {
			place, _, _ = strings.Cut(fields[1], "#")
		}
	}
	rest := make(chan string, 1)
	go func() {
		b, _ := io.ReadAll(said)
		rest <- string(b)
	}()
	page, err := http.Get(place)
	ts.Check(err)
	page.Body.Close()
	if page.StatusCode != http.StatusOK {
		ts.Fatalf("%s gave status %d", place, page.StatusCode)
	}
	stream, err := http.Get(place + "api/events")
	ts.Check(err)
	var events strings.Builder
	in := bufio.NewReader(stream.Body)
	for err = nil; err == nil; { // to its end, without an error: the page is not torn off
		var line string
		line, err = in.ReadString('\n')
		events.WriteString(line)
		if want == exitInterrupted && strings.Contains(line, `"state":"training"`) {
			want = -want // once
			ts.Check(cmd.Process.Signal(os.Interrupt))
		}
	}
	stream.Body.Close()
	if err != io.EOF {
		ts.Fatalf("the stream of events ended badly: %v", err)
	}
	want = max(want, -want)
	text += <-rest
	code := exitCode(cmd.Wait())
	ts.Check(os.WriteFile(ts.MkAbs("watched.err"), []byte(text), 0o666))
	states := regexp.MustCompile(`"state":"(\w+)"`).FindAllStringSubmatch(events.String(), -1)
	// A resumed run has the state of the session before it until the new one begins, and one that ends before the page looks again never shows as
	// training.
	if code != want || len(states) == 0 || states[len(states)-1][1] != args[1] || !strings.Contains(events.String(), "event: end\n") {
		ts.Fatalf("mattis %q: exit code %d, want %d; states %q, want %s last; %s", args[2:], code, want, states, args[1], text)
	}
}

// same A B wants the newest checkpoints of two run directories to be of one step and of one SHA-256.
func same(ts *testscript.TestScript, neg bool, args []string) {
	var names, sums [2]string
	for i, dir := range args {
		found, _ := filepath.Glob(ts.MkAbs(filepath.Join(dir, "checkpoints", "*.safetensors")))
		if len(found) == 0 {
			ts.Fatalf("%s has no checkpoint", dir)
		}
		names[i] = filepath.Base(found[len(found)-1])
		sum := sha256.Sum256([]byte(ts.ReadFile(found[len(found)-1])))
		sums[i] = hex.EncodeToString(sum[:])
	}
	if equal := names[0] == names[1] && sums[0] == sums[1]; equal == neg {
		ts.Fatalf("%v: %v %v", args, names, sums)
	}
}

// flip FILE changes the byte in the middle of a file.
func flip(ts *testscript.TestScript, neg bool, args []string) {
	b := []byte(ts.ReadFile(args[0]))
	b[len(b)/2] ^= 0x40
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), b, 0o666))
}

// timeless A B wants two files of metrics to be the same but for the seconds.
func timeless(ts *testscript.TestScript, neg bool, args []string) {
	seconds := regexp.MustCompile(`"seconds":[^,]*`)
	a, b := seconds.ReplaceAllString(ts.ReadFile(args[0]), ""), seconds.ReplaceAllString(ts.ReadFile(args[1]), "")
	if (a == b) == neg {
		ts.Fatalf("%v:\n%s\n%s", args, a, b)
	}
}
