# witness: */ffmpeg */ffprobe
# ffmpeg makes test pictures and sound, encodes them with several encoders and threads, decodes and filters them again.

f() { ffmpeg -nostdin -hide_banner -loglevel error -y "$@"; }
source=(-f lavfi -i 'testsrc2=size=320x240:rate=25:duration=4'
    -f lavfi -i 'sine=frequency=440:duration=4:sample_rate=44100')
f "${source[@]}" -c:v rawvideo -c:a pcm_s16le -bitexact -f framemd5 source.md5
grep -vc '^#' source.md5
f "${source[@]}" -c:v libx264 -preset fast -threads 2 -g 25 -c:a aac -bitexact -flags +bitexact h264.mp4
f "${source[@]}" -c:v mpeg4 -q:v 4 -c:a libmp3lame -bitexact -flags +bitexact mpeg4.avi
f "${source[@]}" -c:v ffv1 -threads 2 -slices 4 -c:a flac -bitexact -flags +bitexact lossless.mkv
f "${source[@]}" -t 1 -c:v libvpx-vp9 -deadline realtime -cpu-used 8 -row-mt 1 -threads 2 \
    -c:a libopus -bitexact -flags +bitexact vp9.webm
filter='[0:v]split[a][b];[a]scale=160:120,hflip[c];[b]crop=160:120,eq=contrast=1.2[d];[c][d]hstack,fps=10[v]'
f -i mpeg4.avi -filter_complex "$filter" -map '[v]' -c:v png -f image2 frame%03d.png
f -i lossless.mkv -af 'aresample=48000,atempo=1.5,volume=0.5,aecho' -c:a pcm_s16le -bitexact sound.wav
f -i mpeg4.avi -vf "palettegen" palette.png
f -i mpeg4.avi -i palette.png -t 1 -lavfi 'fps=8,scale=160:-1[x];[x][1:v]paletteuse' moving.gif
f -i lossless.mkv -map 0:v -c copy -f segment -segment_time 1 -reset_timestamps 1 part%d.mkv
ls frame*.png | wc -l
ls part*.mkv | wc -l

# The lossless file gives back the very frames of the source.
frames() { f "$@" -map 0:v -pix_fmt yuv420p -f framemd5 - | grep -v '^#' | awk '{ print $NF }'; }
frames -i lossless.mkv >back.txt
frames "${source[@]}" | cmp - back.txt && echo 'lossless: same frames'
for file in h264.mp4 mpeg4.avi lossless.mkv vp9.webm; do
    ffprobe -v error -show_entries stream=codec_name,width,sample_rate -of csv=p=0 "$file" | tr '\n' ' '
    ffprobe -v error -count_frames -select_streams v -show_entries stream=nb_read_frames -of csv=p=0 "$file"
done
ffprobe -v error nowhere.mp4 2>&1 || echo "status $?"
# Not h264.mp4: what libx264 chooses depends on memory that nobody wrote: with glibc, MALLOC_PERTURB_ changes it too.
for file in mpeg4.avi lossless.mkv vp9.webm frame010.png sound.wav moving.gif; do
    echo "$file $(f -i "$file" -f framemd5 - | sha256sum)"
done
