# witness: */convert* */identify* */compare*
# ImageMagick makes, filters, converts and compares pictures, with its threads on.

export MAGICK_THREAD_LIMIT=2
convert -size 700x500 gradient:red-blue -seed 42 -attenuate 0.5 +noise gaussian -swirl 90 \
    \( -size 700x500 radial-gradient:white-black \) -compose multiply -composite base.png
convert base.png -resize 300% -blur 0x3 -unsharp 0x2 -resize 40% filtered.png
convert base.png -colorspace Lab -channel 0 -equalize +channel -colorspace sRGB -quantize YUV -colors 64 colours.png
convert base.png -rotate 37 -distort Perspective '0,0,20,40 600,0,560,10 0,400,10,380 600,400,590,420' \
    -crop 300x300+50+50 +repage turned.png
convert base.png -morphology Close Disk:5 -edge 2 -despeckle -median 3 edges.png
convert -delay 5 base.png filtered.png -resize 120x -layers Optimize moving.gif
convert base.png -quality 85 base.jpg
convert base.png -compress zip base.tiff
convert base.png -depth 16 base.miff
convert base.tiff base.miff -metric AE -compare -format 'tiff and miff: %[distortion]\n' info:
shapes='circle 50,50 50,20 polygon 120,80 160,10 200,80 bezier 220,80 250,0 300,100 380,20'
convert -size 400x100 xc:white -fill black -draw "$shapes" drawn.png
convert base.png -fft +delete -auto-level fourier.png 2>/dev/null || echo 'no fourier'
montage base.png filtered.png turned.png drawn.png -tile 2x2 -geometry 150x150+4+4 all.png
convert base.png -statistic Mean 5x5 -evaluate-sequence mean -format '%wx%h %[channels] %[fx:mean>0&&mean<1]\n' info:

identify -format '%f %m %wx%h %z\n' base.png filtered.png colours.png turned.png edges.png \
    base.jpg base.tiff drawn.png all.png
identify -format '%f %n frames\n' moving.gif | sed -n 1p
echo "$(compare -metric AE base.png base.png null: 2>&1) pixels differ"
compare -metric RMSE base.png base.jpg null: >/dev/null 2>&1 || echo "base and jpg differ: status $?"
convert nowhere.png out.png 2>/dev/null || echo "missing file: status $?"
for picture in *.png *.jpg *.gif *.tiff; do
    echo "$picture $(convert "$picture" -depth 8 rgb:- | sha256sum)"
done
