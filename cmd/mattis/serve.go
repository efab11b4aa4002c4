package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"mattis/guard"
	"mattis/run"
	"mattis/service"
)

// serveFlags are the flags of mattis serve.
type serveFlags struct {
	address, tokenFile, cert, key string
	checkpoint                    string
	threads                       int
	body, memory                  int // MiB
	rows, steps, queue            int
	time, grace                   time.Duration
}

func serveCommand() *cobra.Command {
	var f serveFlags
	cmd := &cobra.Command{
		Use:   "serve RUN...",
		Short: "Answer requests to trained machines over HTTP",
		Long: `Answer requests to the machines of run directories over HTTP: score, features, sample, reconstruct
and logz, in JSON, npy or PNG. An answer is what the command of that name gives, bit for bit; it
depends on the request, its seed and the checkpoint that it names, whatever else is asked at the
time. Newer checkpoints are taken as a training writes them. Run directories are only read.

  GET  /v1/runs  /v1/runs/RUN                 what there is; RUN is the directory's base name
  POST /v1/runs/RUN/score  features  sample  reconstruct  logz
  GET  /openapi.json  /metrics  /healthz

The address is printed. It is this machine's own; any other needs --token-file, and requests then
Authorization: Bearer with the file's content, and for strangers in between --cert and --key.
Ctrl-C or SIGTERM ends it once the requests under way are answered.`,
		Example: `  mattis serve runs/bars-1
  curl -X POST 'http://127.0.0.1:8080/v1/runs/bars-1/sample?count=2&seed=7'
  (umask 077; head -c 24 /dev/urandom | base64 > token)
  mattis serve runs/bars-1 --address :8443 --token-file token --cert cert.pem --key key.pem`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usageError{errors.New("RUN is missing, want run directories")}
			}
			for _, a := range args {
				if a == "" {
					return usageError{errors.New("RUN is empty")}
				}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, args) },
	}
	fl := cmd.Flags()
	fl.StringVar(&f.address, "address", "127.0.0.1:8080", "`host:port` to listen on; port 0 takes a free one")
	fl.StringVar(&f.tokenFile, "token-file", "", "`file` with a token that requests have to show")
	fl.StringVar(&f.cert, "cert", "", "`file` of the certificates of TLS, PEM")
	fl.StringVar(&f.key, "key", "", "`file` of their key, PEM")
	addCheckpoint(cmd, &f.checkpoint, "checkpoint to serve")
	fl.IntVar(&f.threads, "threads", 0, "threads; 0 takes one a core. Results do not depend on it")
	fl.IntVar(&f.body, "max-body", 32, "`MiB` of a request's body")
	fl.IntVar(&f.rows, "max-rows", 16384, "rows of a request, and samples")
	fl.IntVar(&f.steps, "max-steps", 100_000, "sweeps before a sample")
	fl.DurationVar(&f.time, "max-time", time.Minute, "that a request may use the engine")
	fl.IntVar(&f.queue, "max-queue", 64, "requests that wait or are worked on; more are told to come again")
	fl.IntVar(&f.memory, "max-memory", 1024, "`MiB` that the rows and answers of these may take")
	fl.DurationVar(&f.grace, "grace", 30*time.Second, "that requests under way have when it is ended")
	return cmd
}

// check refuses flags that are out of range.
func (f *serveFlags) check() error {
	for _, c := range []struct {
		flag        string
		value, most int
	}{{"max-body", f.body, 1 << 20}, {"max-rows", f.rows, mostRows}, {"max-steps", f.steps, mostRows}, {"max-queue", f.queue, 1 << 20}, {"max-memory", f.memory, 1 << 30}} {
		if err := checkCount(c.flag, c.value, 1, c.most); err != nil {
			return err
		}
	}
	switch {
	case f.time <= 0:
		return usageError{fmt.Errorf("--max-time %s is out of range, want more than 0, such as 1m", f.time)}
	case f.grace < 0:
		return usageError{fmt.Errorf("--grace %s is out of range, want 0 or more, such as 30s", f.grace)}
	case (f.cert == "") != (f.key == ""):
		return usageError{errors.New("--cert and --key belong together, and one is missing")}
	}
	return checkCheckpoint(f.checkpoint)
}

// sources returns the runs of the directories.
func (f *serveFlags) sources(dirs []string) ([]service.Source, error) {
	var list []service.Source
	for _, dir := range dirs {
		d, err := run.Open(filepath.Clean(dir))
		if err != nil {
			return nil, err
		}
		path, err := filepath.Abs(dir)
		if err != nil {
			return nil, err
		}
		list = append(list, service.Source{Name: filepath.Base(path), Dir: d, Step: func() (int, error) { return stepOf(d, f.checkpoint) }})
	}
	return list, nil
}

func (f *serveFlags) run(cmd *cobra.Command, dirs []string) error {
	if err := f.check(); err != nil {
		return err
	}
	token, exposed, err := guard.ReadToken(f.tokenFile)
	if err != nil {
		return err
	}
	if err := guard.CheckAddress(f.address, token != ""); err != nil {
		return usageError{err}
	}
	errw := cmd.ErrOrStderr()
	tell := log.New(errw, "", 0)
	if exposed != "" {
		tell.Print("warning: ", exposed)
	}
	sources, err := f.sources(dirs)
	if err != nil {
		return err
	}
	engine, _, err := newEngine(f.threads)
	if err != nil {
		return err
	}
	defer engine.Close()
	s, err := service.New(engine, sources, service.Options{
		Token: token, MaxBody: int64(f.body) << 20, MaxRows: f.rows, MaxSteps: f.steps, MaxQueue: f.queue, MaxMemory: int64(f.memory) << 20,
		MaxTime: f.time, Look: time.Second, Version: version(), Room: enoughMemory, Measurable: measurable,
		Told: func(line string) { tell.Print(line) },
	})
	if err != nil {
		return err
	}
	server := s.HTTPServer()
	server.ErrorLog = tell
	scheme := "http"
	if f.cert != "" {
		scheme = "https"
		if err := guard.TLS(server, f.cert, f.key); err != nil {
			return err
		}
	}
	listener, err := net.Listen("tcp", f.address)
	if err != nil {
		return fmt.Errorf("--address %s: %w", f.address, err)
	}
	fmt.Fprintln(cmd.OutOrStdout(), addressOf(scheme, f.address, listener.Addr()))
	tell.Printf("serves %s; Ctrl-C ends it", s.Serving())
	if token != "" && scheme == "http" {
		tell.Print("without --cert and --key the token and all answers go as plain text")
	}
	announce("ending once the requests under way are answered; again quits at once")
	ctx, cancel := context.WithCancel(cmd.Context())
	looking := make(chan struct{})
	go func() {
		defer close(looking)
		s.Run(ctx)
	}()
	err = guard.Serve(ctx, listener, server, f.grace)
	cancel()
	<-looking // the engine goes with this function
	return err
}
