package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"mattis/guard"
	"mattis/watch"
)

func watchCommand() *cobra.Command {
	var address, tokenFile string
	var open bool
	cmd := &cobra.Command{
		Use:   "watch DIR...",
		Short: "Show runs on a live page in the browser",
		Long: `Show runs on a page in the browser, live: a table of all runs, curves, pictures, the machine, and
two runs side by side. DIR is a run directory or a folder with some in it. Run directories are
read and never locked, so trainings go on undisturbed. Ctrl-C ends it.

The page is served on this machine alone, at the address that is printed. From elsewhere: ssh -L 8000:127.0.0.1:8000 HOST
beside mattis watch DIR --address 127.0.0.1:8000, then http://localhost:8000/. Other people on this
machine can reach it too: on login nodes, and wherever the page is behind a proxy (JupyterHub), give
--token-file. Any address other than this machine's own needs it.`,
		Example: `  mattis watch runs
  mattis watch runs/bars-1 --open
  (umask 077; head -c 24 /dev/urandom | base64 > token)
  mattis watch runs --address :8000 --token-file token`,
		Args: func(_ *cobra.Command, args []string) error {
			for _, a := range args {
				if a == "" {
					return usageError{errors.New("DIR is empty")}
				}
			}
			if len(args) == 0 {
				return usageError{errors.New("DIR is missing, want a run directory or a folder of them")}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			token, exposed, err := guard.ReadToken(tokenFile)
			if exposed != "" {
				err = errors.New(exposed)
			}
			if err != nil {
				return err
			}
			if err := guard.CheckAddress(address, token != ""); err != nil {
				return usageError{err}
			}
			library, err := watch.Open(args...)
			for range 20 { // mattis train R & mattis watch runs: the first of them makes the folder
				if !errors.Is(err, fs.ErrNotExist) || cmd.Context().Err() != nil {
					break
				}
				time.Sleep(100 * time.Millisecond)
				library, err = watch.Open(args...)
			}
			if err != nil {
				return err
			}
			listener, err := net.Listen("tcp", address)
			if err != nil {
				return fmt.Errorf("--address %s: %w", address, err)
			}
			place := pageAddress(address, listener.Addr(), token)
			fmt.Fprintln(cmd.OutOrStdout(), place)
			fmt.Fprintf(cmd.ErrOrStderr(), "shows %s; Ctrl-C ends it\n", strings.Join(library.Labels(), ", "))
			if open {
				openBrowser(place, func(err error) { fmt.Fprintln(cmd.ErrOrStderr(), err) })
			}
			s := watch.NewServer(library, token)
			return servePage(cmd.Context(), listener, s, s.HTTPServer())
		},
	}
	cmd.Flags().StringVar(&address, "address", "127.0.0.1:0", "`host:port` to listen on; port 0 takes a free one")
	cmd.Flags().StringVar(&tokenFile, "token-file", "", "`file` with a token that the page asks for")
	cmd.Flags().BoolVar(&open, "open", false, "open the page in the browser")
	return cmd
}
