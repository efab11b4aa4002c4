package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"runtime/debug"

	"github.com/spf13/cobra"

	"mattis/recipe"
	"mattis/run"
)

// trainFlags are the flags that train and resume share.
type trainFlags struct {
	set     []string
	threads int
	json    bool
	watch   bool
	open    bool
}

func (f *trainFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringArrayVar(&f.set, "set", nil, "set a `path=value` of the recipe, the value in YAML; null takes the field out of it (repeatable)")
	cmd.Flags().IntVar(&f.threads, "threads", 0, "threads; 0 takes one a core. Results do not depend on it")
	cmd.Flags().BoolVar(&f.json, "json", false, "print every measure as a JSON line and nothing else")
	cmd.Flags().BoolVar(&f.watch, "watch", false, "show the run on a live page while it trains (see mattis watch)")
	cmd.Flags().BoolVar(&f.open, "open", false, "open the page of --watch in the browser")
}

// page returns the page of --watch, nil without it.
func (f *trainFlags) page() (*trainingPage, error) {
	switch {
	case f.watch:
		return newTrainingPage(f.open)
	case f.open:
		return nil, usageError{errors.New("--open opens the page of --watch, which is missing")}
	}
	return nil, nil
}

func trainCommand() *cobra.Command {
	var flags trainFlags
	var dir, init string
	var seed uint64
	cmd := &cobra.Command{
		Use:   "train RECIPE",
		Short: "Train a recipe: a YAML file or a built-in name",
		Long: `Train a recipe, a YAML file or one of the built-in ones (see mattis recipes), in
a new run directory that holds the complete recipe, the measures, checkpoints and
figures. Ctrl-C, SIGTERM and SIGHUP end it after the update under way with a checkpoint, and mattis resume
goes on, with the measures that were left to do too; a second Ctrl-C quits at once. SIGUSR1 asks for a
checkpoint of the next update.

train.best={measure: NAME, split: test} keeps the checkpoint whose measure is the best (--checkpoint best
of other commands takes it), train.stop.patience=N ends the training after N measurements in a row that are no better,
train.stop.diverged=true where it diverges, which is always said; measure.pictures.every=N keeps samples and
reconstructions of every N epochs.

--watch shows the run on a page in the browser, as mattis watch does, from this process: the address is printed, --open
opens it, and it ends with the training. It costs the training nothing while nobody looks, and no bit of the result. Other
addresses and a token are options of mattis watch, which shows running trainings too.`,
		Example: `  mattis train bars
  mattis train bars --set train.epochs=100 --seed 7
  mattis train bars-pcd --watch --open
  mattis train mnist --run runs/digits --set 'measure.test=[hamming, pseudo_likelihood]'
  mattis train bars --set 'train.best={measure: hamming, split: train}' --set train.stop.patience=5`,
		Args: exactly("RECIPE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			acceptRequests()
			page, err := flags.page()
			if err != nil {
				return err
			}
			defer page.Close()
			settings := flags.set
			if cmd.Flags().Changed("seed") {
				settings = append(settings, fmt.Sprintf("seed=%d", seed))
			}
			r, err := recipe.Load(args[0], settings...)
			if err != nil {
				return err
			}
			if err := processes.sameRecipe(r); err != nil {
				return err
			}
			engine, arm, err := newEngine(flags.threads)
			if err != nil {
				return err
			}
			defer engine.Close()
			frugal := debug.SetGCPercent(recipe.GCPercent)
			split, err := r.LoadData()
			if err != nil {
				return err
			}
			if err := processes.sameData(split); err != nil {
				return err
			}
			tellNotes(cmd, split.Train, split.Test, split.Validation)
			need, err := roomFor(r, split, flags.threads)
			if err != nil {
				return err
			}
			if need < muchMemory {
				debug.SetGCPercent(frugal)
			}
			var from *run.Directory
			if init != "" {
				if from, err = run.Open(init); err != nil {
					return err
				}
			}
			// All that can be wrong with the recipe is found before a directory is made.
			t, err := r.BuildShared(processes.Comm, split, engine)
			if err != nil {
				return err
			}
			if from != nil {
				if _, _, err := t.Initialize(from); err != nil {
					return fmt.Errorf("--init: %w", err)
				}
			}
			w, err := processes.beside(func() (*run.Writer, error) {
				if dir != "" {
					return run.Create(dir)
				}
				return run.CreateNext("runs", r.Name, r.Seed)
			})
			if err != nil {
				return err
			}
			defer w.Close()
			s, err := recipe.BeginShared(processes.Comm, r, split, w, engine, environment(engine.Threads(), arm), from)
			if err != nil {
				return err
			}
			return follow(cmd, s, flags.json, page)
		},
	}
	flags.add(cmd)
	cmd.Flags().StringVar(&dir, "run", "", "run `directory` to make (default runs/NAME-SEED, then runs/NAME-SEED-2, ...)")
	cmd.Flags().Uint64Var(&seed, "seed", 1, "seed of all random numbers")
	cmd.Flags().StringVar(&init, "init", "", "start from the parameters of the newest checkpoint in this run `directory`")
	return cmd
}

func resumeCommand() *cobra.Command {
	var flags trainFlags
	cmd := &cobra.Command{
		Use:   "resume DIR",
		Short: "Go on with a run from its newest good checkpoint",
		Long: `Go on with the run in a directory from its newest good checkpoint, or from the
start if it has none. The result has the bits of an uninterrupted run. --set may change
train.epochs, train.checkpoint, train.best, train.stop, measure and the places of data (data.dir, data.path);
the rest of the recipe stays. Measures that were interrupted are made up for; a run that has ended is left alone.`,
		Example: "  mattis resume runs/bars-1 --set train.epochs=400",
		Args:    exactly("DIR"),
		RunE: func(cmd *cobra.Command, args []string) error {
			acceptRequests()
			page, err := flags.page()
			if err != nil {
				return err
			}
			defer page.Close()
			w, err := processes.beside(func() (*run.Writer, error) { return run.Resume(filepath.Clean(args[0])) })
			if err != nil {
				return err
			}
			defer w.Close()
			engine, arm, err := newEngine(flags.threads)
			if err != nil {
				return err
			}
			defer engine.Close()
			if err := enoughMemory(w.Path(), modelCopies*float64(w.CheckpointSize(-1))); err != nil {
				return err
			}
			s, err := recipe.ContinueShared(processes.Comm, w, engine, environment(engine.Threads(), arm), flags.set...)
			if err != nil {
				return err
			}
			if err := processes.sameStart(s); err != nil {
				return err
			}
			epoch := s.Trainer.Step / s.Trainer.StepsPerEpoch()
			if s.Trainer.Step > s.Steps() {
				return fmt.Errorf("%s is at epoch %d already; --set train.epochs=N goes on to epoch N", s.Dir.Path(), epoch)
			}
			if s.Done() {
				tellSession(cmd.ErrOrStderr(), s)
				if processes.first() {
					if err := completeFigures(s); err != nil {
						return err
					}
				}
				on := "--set train.epochs=N goes on to epoch N"
				if why := s.Stopped(); why != "" {
					on = why + "; --set train.stop.patience=0 goes on"
				}
				if page != nil {
					on += fmt.Sprintf("; mattis watch %s shows it", s.Dir.Path())
				}
				fmt.Fprintf(cmd.ErrOrStderr(), "%s has ended at epoch %d, and nothing is left to do; %s\n", s.Dir.Path(), epoch, on)
				return nil
			}
			return follow(cmd, s, flags.json, page)
		},
	}
	flags.add(cmd)
	return cmd
}
