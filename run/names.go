package run

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// The files and folders of a run directory, as docs/format.md draws them.
const (
	RecipeFile        = "recipe.yaml"
	EnvironmentFile   = "env.json"
	MetricsFile       = "metrics.jsonl"
	StateFile         = "state.json"
	CheckpointsFolder = "checkpoints"
	BestFile          = "best.json" // in the folder of checkpoints
	PicturesFolder    = "pictures"
	FiguresFolder     = "figures"
	DiagnosisFile     = "diagnose.json" // the verdict of mattis diagnose
)

// LockFile is the file whose lock stands for the directory. The lock belongs
// to the open file, so the system releases it however its process ends; the
// file stays, with the number of the process while one writes.
const LockFile = ".lock"

// DrawFile is the file of what the estimator returned last. It is there while measures of a
// checkpoint's step that look at it are still to be taken: a checkpoint does not hold it, and no
// other state gives it back.
const DrawFile = "draw.safetensors"

// CheckpointFile returns the name of a step's checkpoint in its folder: NNNNNNNN.safetensors.
func CheckpointFile(step int) string { return fmt.Sprintf("%08d.safetensors", step) }

// PictureFile returns the name of a step's pictures in their folder: NNNNNNNN.npy.
func PictureFile(step int) string { return fmt.Sprintf("%08d.npy", step) }

// CheckpointSteps returns the steps of the names that are those of checkpoints, smallest first.
func CheckpointSteps(names []string) []int { return steps(names, CheckpointFile) }

// PictureSteps returns the steps of the names that are those of pictures, smallest first.
func PictureSteps(names []string) []int { return steps(names, PictureFile) }

// steps returns the steps whose file has one of the names, smallest first.
func steps(names []string, file func(step int) string) []int {
	list := []int{}
	for _, n := range names {
		digits, _, _ := strings.Cut(n, ".")
		if step, err := strconv.Atoi(digits); err == nil && step >= 0 && file(step) == n {
			list = append(list, step)
		}
	}
	slices.Sort(list)
	return list
}
