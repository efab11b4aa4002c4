package data

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"os"
	"path/filepath"
	"strings"
)

// Bounds of one image, so that a file cannot claim more memory than that.
const (
	maxPixels     = 1 << 20
	maxImageBytes = 64 << 20
)

// Images reads a folder of PNG and JPEG images, sorted by name, all of one size. Where they lie in
// subfolders, one level deep, the subfolders' names are the labels, and a folder of two, train and
// test, is one of training and one of test images. Colour becomes grey (Rec. 601), and what is
// transparent lies on white, as viewers show it; a note says so. Other files are left alone.
func Images(o Options) (*Split, error) {
	if err := o.only("images"); err != nil {
		return nil, err
	}
	note := o.partFolder()
	split, err := o.readFiles("images", o.readImages)
	if err == nil && note != "" {
		split.Train.Notes = append(split.Train.Notes, note)
	}
	return split, err
}

// partFolder takes the folders train and test of a folder that holds no others, but for a
// validation set, as training and test images. It returns what of it is not read.
func (o *Options) partFolder() (note string) {
	entries, err := os.ReadDir(o.Path)
	if err != nil || o.Former {
		return ""
	}
	found := map[string]bool{}
	left := ""
	for _, e := range entries {
		name := e.Name()
		switch {
		case strings.HasPrefix(name, "."):
		case !isFolder(filepath.Join(o.Path, name)):
			if isImage(name) {
				return ""
			}
		case name == "train" || name == "test":
			found[name] = true
		case name == "val" || name == "valid" || name == "validation":
			left = name
		default:
			return ""
		}
	}
	if !found["train"] || !found["test"] {
		return ""
	}
	dir := o.Path
	o.Path = filepath.Join(dir, "train")
	switch {
	case o.TestPath == "" && (o.Split == "" || o.Split == "files"):
		o.TestPath = filepath.Join(dir, "test")
	case o.TestPath == "":
		left = "test"
	}
	if left == "" {
		return ""
	}
	return fmt.Sprintf("the images in %s are not read", filepath.Join(dir, left))
}

// readImages reads one folder.
func (o Options) readImages(p part, words *words) (*Set, error) {
	files, labels, err := listImages(p.path)
	if err != nil {
		return nil, err
	}
	s := &Set{}
	bin := o.binarizer(p.stream)
	for i, file := range files {
		if err := s.addImage(file, files[0], bin, o); err != nil {
			return nil, err
		}
		if labels != nil {
			s.Labels = append(s.Labels, words.add(labels[i]))
		}
	}
	bin.finish(s)
	s.noteTransparent()
	return s, nil
}

// readImage reads one file as a set of one row.
func (o Options) readImage(p part) (*Set, error) {
	s := &Set{}
	bin := o.binarizer(p.stream)
	if err := s.addImage(p.path, p.path, bin, o); err != nil {
		return nil, err
	}
	bin.finish(s)
	s.noteTransparent()
	return s, nil
}

// noteTransparent leaves a note on images with transparent pixels.
func (s *Set) noteTransparent() {
	if n := len(s.transparent); n > 0 {
		s.Notes = append(s.Notes, fmt.Sprintf("%d of %d images have transparent pixels, which lie on white (the first: %s)", n, s.Rows, s.transparent[0]))
	}
}

// addImage appends the image at path, as spins that are not finished yet. All
// images are of the size of the first.
func (s *Set) addImage(path, first string, bin *binarizer, o Options) error {
	img, err := openImage(path, s.Height, s.Width)
	if err != nil {
		if s.Rows > 0 {
			err = fmt.Errorf("%w (all images are of the size of %s)", err, first)
		}
		return err
	}
	if i, ok := img.(interface{ Opaque() bool }); ok && !i.Opaque() {
		s.transparent = append(s.transparent, path)
	}
	at := img.Bounds()
	s.Height, s.Width = at.Dy(), at.Dx()
	s.Visible = s.Height * s.Width
	if err := s.suits(o); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	for y := range s.Height {
		for x := range s.Width {
			spin, err := bin.spin(greyAt(img, at.Min.X+x, at.Min.Y+y), s.Rows, y*s.Width+x)
			if err != nil {
				return fmt.Errorf("%s: pixel row %d, column %d: %w", path, y+1, x+1, err)
			}
			s.Spins = append(s.Spins, spin)
		}
	}
	s.Rows++
	return nil
}

// greyAt returns the grey value of a pixel, in [0,1]: that of its colour on white.
func greyAt(img image.Image, x, y int) float64 {
	if g, ok := img.(*image.Gray); ok {
		return float64(g.GrayAt(x, y).Y) / 0xff
	}
	c := img.At(x, y)
	_, _, _, alpha := c.RGBA() // the colour is multiplied by alpha
	return float64(uint32(color.Gray16Model.Convert(c).(color.Gray16).Y)+0xffff-alpha) / 0xffff
}

// listImages returns the images of a folder in the order of their names and,
// where they lie in subfolders, the name of the subfolder of each.
func listImages(dir string) (files, labels []string, err error) {
	if info, err := os.Stat(dir); err == nil && !info.IsDir() {
		return nil, nil, fmt.Errorf("%s: not a folder of images", dir)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, nil, err
	}
	var plain []string
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		switch {
		case strings.HasPrefix(e.Name(), "."):
		case isFolder(path):
			inner, err := os.ReadDir(path)
			if err != nil {
				return nil, nil, err
			}
			for _, f := range inner {
				if isImage(f.Name()) {
					files = append(files, filepath.Join(path, f.Name()))
					labels = append(labels, e.Name())
				}
			}
		case isImage(e.Name()):
			plain = append(plain, path)
		}
	}
	switch {
	case len(plain) > 0 && len(files) > 0:
		return nil, nil, fmt.Errorf("%s: images both here (%s) and in subfolders (%s): put all of them here, or all in subfolders named by their labels", dir, plain[0], files[0])
	case len(plain) > 0:
		return plain, nil, nil
	case len(files) == 0:
		return nil, nil, fmt.Errorf("%s: no .png, .jpg or .jpeg file in the folder or its subfolders", dir)
	}
	return files, labels, nil
}

func isFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

func isImage(name string) bool {
	switch strings.ToLower(filepath.Ext(name)) {
	case ".png", ".jpg", ".jpeg":
		return !strings.HasPrefix(name, ".")
	}
	return false
}

// openImage decodes the image at path, which must be of the given size unless
// that is 0x0.
func openImage(path string, height, width int) (image.Image, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxImageBytes {
		return nil, fmt.Errorf("%s: no regular file of at most %d MiB", path, maxImageBytes>>20)
	}
	file, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	img, err := decodeImage(file, height, width)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return img, nil
}

// decodeImage decodes a PNG or JPEG file. It looks at the size that the file
// claims before it decodes.
func decodeImage(file []byte, height, width int) (image.Image, error) {
	claim, format, err := image.DecodeConfig(bytes.NewReader(file))
	if err != nil {
		return nil, fmt.Errorf("no PNG or JPEG image: %w", err)
	}
	if format != "png" && format != "jpeg" {
		return nil, fmt.Errorf("a %s image, where PNG or JPEG is wanted", format)
	}
	if claim.Width < 1 || claim.Height < 1 || claim.Width > maxPixels/claim.Height {
		return nil, fmt.Errorf("%d pixels high, %d wide: an image has 1 to %d pixels", claim.Height, claim.Width, maxPixels)
	}
	if height != 0 && (claim.Height != height || claim.Width != width) {
		return nil, fmt.Errorf("%d pixels high, %d wide, where %d and %d are wanted", claim.Height, claim.Width, height, width)
	}
	r := bytes.NewReader(file)
	var img image.Image
	if format == "png" {
		img, err = png.Decode(r)
	} else {
		img, err = jpeg.Decode(r)
	}
	if err != nil {
		return nil, fmt.Errorf("damaged %s image of %d bytes: %w", format, len(file), err)
	}
	if format == "png" && r.Len() > 0 {
		return nil, fmt.Errorf("offset %d: %d bytes follow the end of the PNG image", len(file)-r.Len(), r.Len())
	}
	return img, nil
}
