package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"mattis/data"
	"mattis/view"
)

func dataCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "data",
		Short:   "List, show and fetch data sets",
		Example: "  mattis data list\n  mattis data show spins.csv",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(dataListCommand(), dataShowCommand(), dataFetchCommand())
	return cmd
}

func dataListCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List the data that a recipe can name",
		Example: "  mattis data list",
		Args:    exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			t := view.Table{Header: []string{"data", "about", "where"}}
			for _, s := range data.Sources() {
				t.Rows = append(t.Rows, []string{s.Name, s.About, s.Where()})
			}
			return t.Write(cmd.OutOrStdout())
		},
	}
}

func dataFetchCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "fetch NAME",
		Short: "Download a data set into the user's cache and check it",
		Long: `Download a data set from public mirrors into the user's cache. Every file is checked
against its SHA-256; those that are there and whole are kept. Only mnist is to be fetched.`,
		Example: "  mattis data fetch mnist",
		Args:    exactly("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if args[0] != "mnist" {
				return fmt.Errorf("data %q cannot be fetched, only mnist (bars and bas are made, other data are read from your files)", args[0])
			}
			bar := newMeter(cmd, "fetch", "KiB", 0)
			dir, err := data.Fetch{Progress: func(file string, done, _ int64) { bar.Update(int(done>>10), file) }}.MNIST(cmd.Context())
			bar.clear()
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "mnist is in %s\n", dir)
			return nil
		},
	}
}
