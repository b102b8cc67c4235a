# witness: */javac */java
# The Java compiler compiles a program; it uses threads, direct buffers, compression, streams and a child process.

cat >Work.java <<'JAVA'
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.*;
import java.util.concurrent.*;
import java.util.regex.Pattern;
import java.util.stream.*;
import java.util.zip.*;

public class Work {
    sealed interface Shape permits Circle, Square {}
    record Circle(int radius) implements Shape {}
    record Square(int side) implements Shape {}

    static String sumOf(byte[] data) throws Exception {
        return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(data)).substring(0, 16);
    }

    static byte[] packAndBack(byte[] data, int level) throws Exception {
        Deflater deflater = new Deflater(level);
        deflater.setInput(data);
        deflater.finish();
        byte[] packed = new byte[data.length + 1000];
        int length = deflater.deflate(packed);
        deflater.end();
        Inflater inflater = new Inflater();
        inflater.setInput(packed, 0, length);
        byte[] back = new byte[data.length];
        inflater.inflate(back);
        inflater.end();
        return back;
    }

    static long work(int thread) throws Exception {
        Random random = new Random(thread);
        Map<String, List<Integer>> map = new TreeMap<>();
        for (int i = 0; i < 60000; i++) map.computeIfAbsent("k" + random.nextInt(5000), k -> new ArrayList<>()).add(i);
        long sum = map.values().stream().flatMap(List::stream).mapToLong(Integer::longValue).sum();
        List<ByteBuffer> buffers = new ArrayList<>();
        for (int i = 0; i < 600; i++) {
            ByteBuffer buffer = ByteBuffer.allocateDirect(1 + random.nextInt(30000));
            buffer.put(0, (byte) i);
            buffers.add(buffer);
            if (i % 3 == 0) buffers.remove(random.nextInt(buffers.size()));
        }
        for (ByteBuffer buffer : buffers) sum += buffer.get(0) + buffer.capacity();
        byte[] text = ("line of thread " + thread + "\n").repeat(4000).getBytes(StandardCharsets.UTF_8);
        for (int level = 1; level <= 9; level++)
            if (!Arrays.equals(text, packAndBack(text, level))) throw new Exception("zip");
        return sum;
    }

    public static void main(String[] arguments) throws Exception {
        ExecutorService pool = Executors.newFixedThreadPool(6);
        List<Future<Long>> results = new ArrayList<>();
        for (int i = 0; i < 12; i++) { int thread = i; results.add(pool.submit(() -> work(thread))); }
        for (Future<Long> result : results) System.out.println("work " + result.get());
        pool.shutdown();

        String text = IntStream.range(0, 60000).mapToObj(i -> "word" + i * 7919 % 997).collect(Collectors.joining(" "));
        String replaced = Pattern.compile("word(\\d)(\\d*)").matcher(text).replaceAll("$2-$1");
        System.out.println("replaced " + sumOf(replaced.getBytes()));
        Map<String, Long> counts = Arrays.stream(text.split(" ")).parallel()
            .collect(Collectors.groupingBy(word -> word, TreeMap::new, Collectors.counting()));
        System.out.println("counts " + counts.size() + " " + counts.get("word1"));
        List<Shape> shapes = IntStream.range(0, 1000)
            .<Shape>mapToObj(i -> i % 2 == 0 ? new Circle(i) : new Square(i)).toList();
        System.out.println("shapes " + shapes.stream().mapToInt(s -> s instanceof Circle c ? c.radius() : 1).sum());
        System.gc();
        Process child = new ProcessBuilder("/bin/echo", "from", "a", "child").start();
        System.out.print(new String(child.getInputStream().readAllBytes()));
        System.out.println("child " + child.waitFor());
        try { throw new IllegalStateException("expected"); } catch (IllegalStateException e) { System.out.println(e); }
        CRC32 crc = new CRC32();
        crc.update(text.getBytes());
        System.out.println("crc " + crc.getValue() + " " + String.format("%tF", new Date(0)));
    }
}
JAVA
javac -J-Xmx256m -d classes Work.java
ls classes | tr '\n' ' '
echo
for collector in UseSerialGC UseParallelGC UseG1GC; do
    echo "== $collector"
    java -Xmx300m -XX:+$collector -cp classes Work
done
