import com.google.protobuf.ByteString;
import io.grpc.ChannelCredentials;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.StatusRuntimeException;
import io.grpc.TlsChannelCredentials;
import io.grpc.stub.ClientCallStreamObserver;
import io.grpc.stub.ClientResponseObserver;
import io.grpc.stub.MetadataUtils;
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import kerascope.v1.AnalyzeRequest;
import kerascope.v1.AnalyzeResponse;
import kerascope.v1.AnalyzeStreamRequest;
import kerascope.v1.AnalyzeStreamResponse;
import kerascope.v1.Finding;
import kerascope.v1.ImageAnswer;
import kerascope.v1.ImageChunk;
import kerascope.v1.InferenceGrpc;
import kerascope.v1.ModelRef;
import kerascope.v1.StreamOptions;

/**
 * Asks a gateway about DICOM, PNG or JPEG files. Research use only.
 *
 * <p>{@code java Findings localhost:50051 MODEL FILE...}
 *
 * <p>One file is one call (Analyze), several are one stream (AnalyzeStream), whose answers come as they are found. Where
 * the gateway asks for TLS and tokens, KERASCOPE_TLS_CA and KERASCOPE_TOKEN_FILE name them.
 */
public final class Findings {
  private static final int CHUNK_BYTES = 1 << 20;
  // Answers of large models outgrow gRPC's 4 MiB: the evidence is a map for each label.
  private static final int MOST_BYTES = 64 << 20;

  public static void main(String[] arguments) throws Exception {
    if (arguments.length < 3) {
      System.err.println("usage: Findings ADDRESS MODEL FILE...");
      System.exit(2);
    }
    ManagedChannel channel =
        Grpc.newChannelBuilder(arguments[0], security()).maxInboundMessageSize(MOST_BYTES).build();
    List<String> files = List.of(arguments).subList(2, arguments.length);
    boolean answered = false;
    try {
      answered = files.size() == 1 ? one(channel, arguments[1], files.get(0)) : many(channel, arguments[1], files);
    } finally {
      channel.shutdownNow().awaitTermination(5, TimeUnit.SECONDS);
    }
    System.exit(answered ? 0 : 1);
  }

  /** Sends a whole file and waits for its findings. */
  private static boolean one(ManagedChannel channel, String model, String file) throws IOException {
    AnalyzeRequest request =
        AnalyzeRequest.newBuilder().setModel(named(model)).setImage(bytes(file)).build();
    try {
      AnalyzeResponse answer =
          InferenceGrpc.newBlockingStub(channel)
              .withInterceptors(MetadataUtils.newAttachHeadersInterceptor(token()))
              .withDeadlineAfter(60, TimeUnit.SECONDS)
              .analyze(request);
      show(file, answer);
      System.out.println(answer.getNotice());
      return true;
    } catch (StatusRuntimeException refused) { // the status for people, the trailers for programs
      String reason = refused.getTrailers() == null ? null : refused.getTrailers().get(key("kerascope-reason"));
      System.err.println(refused.getStatus().getDescription() + " (" + reason + ")");
      return false;
    }
  }

  /** Sends files on one stream, and prints each answer as it comes: in any order, under the name it was sent with. */
  private static boolean many(ManagedChannel channel, String model, List<String> files) throws Exception {
    Answers answers = new Answers(model, files);
    InferenceGrpc.newStub(channel)
        .withInterceptors(MetadataUtils.newAttachHeadersInterceptor(token()))
        .analyzeStream(answers);
    answers.ended.await();
    return answers.failure == null;
  }

  /** The two directions of a stream: sends whenever gRPC has room, so that a whole archive is never in memory. */
  private static final class Answers implements ClientResponseObserver<AnalyzeStreamRequest, AnalyzeStreamResponse> {
    final CountDownLatch ended = new CountDownLatch(1);
    Throwable failure;
    private final String model;
    private final List<String> files;
    private ClientCallStreamObserver<AnalyzeStreamRequest> requests;
    private ByteString data = ByteString.EMPTY;
    private int next = -1; // of the file; -1 for the options
    private String notice = "";

    Answers(String model, List<String> files) {
      this.model = model;
      this.files = files;
    }

    @Override
    public void beforeStart(ClientCallStreamObserver<AnalyzeStreamRequest> stream) {
      requests = stream;
      requests.setOnReadyHandler(this::send);
    }

    private void send() {
      try {
        while (requests.isReady() && next <= files.size()) {
          if (next == files.size()) {
            requests.onCompleted();
            next++;
          } else if (next < 0) {
            requests.onNext(
                AnalyzeStreamRequest.newBuilder()
                    .setOptions(StreamOptions.newBuilder().setModel(named(model)))
                    .build());
            open();
          } else {
            requests.onNext(AnalyzeStreamRequest.newBuilder().setChunk(chunk()).build());
          }
        }
      } catch (IOException unreadable) {
        requests.cancel(unreadable.toString(), unreadable);
      }
    }

    private ImageChunk chunk() throws IOException {
      int size = Math.min(CHUNK_BYTES, data.size());
      ImageChunk.Builder chunk =
          ImageChunk.newBuilder()
              .setImageId("image-" + next)
              .setData(data.substring(0, size))
              .setLast(size == data.size());
      data = data.substring(size);
      if (data.isEmpty()) {
        open();
      }
      return chunk.build();
    }

    private void open() throws IOException {
      next++;
      data = next < files.size() ? bytes(files.get(next)) : ByteString.EMPTY;
    }

    @Override
    public void onNext(AnalyzeStreamResponse response) {
      if (!response.hasAnswer()) {
        return; // the stream is open
      }
      ImageAnswer answer = response.getAnswer();
      String file = files.get(Integer.parseInt(answer.getImageId().substring("image-".length())));
      if (answer.hasAnalysis()) {
        show(file, answer.getAnalysis());
        notice = answer.getAnalysis().getNotice();
      } else {
        System.out.printf(
            "%s: %s %s. %s%n",
            file, answer.getError().getError(), answer.getError().getReason(), answer.getError().getDetail());
      }
    }

    @Override
    public void onError(Throwable error) {
      failure = error;
      System.err.println(error.getMessage());
      ended.countDown();
    }

    @Override
    public void onCompleted() {
      System.out.println(notice);
      ended.countDown();
    }
  }

  /**
   * Prints the caution, where there is one, and each finding with its calibrated probability and what that means at the
   * model's operating point.
   */
  private static void show(String file, AnalyzeResponse analysis) {
    if (analysis.hasCaution()) {
      System.out.printf("%s: %s%n", file, analysis.getCaution().getMessage());
    }
    for (Finding finding : analysis.getFindingsList()) {
      String verdict = finding.getVerdict().name().substring("VERDICT_".length()).toLowerCase(Locale.ROOT);
      System.out.printf(
          Locale.ROOT,
          "%s: %s %.3f %s%n",
          file,
          finding.getLabel(),
          finding.getProbability(),
          verdict.replace('_', ' '));
    }
  }

  private static ModelRef named(String model) {
    return ModelRef.newBuilder().setName(model).build();
  }

  private static ByteString bytes(String file) throws IOException {
    return ByteString.copyFrom(Files.readAllBytes(Path.of(file)));
  }

  /** TLS where an authority is named, and none otherwise. */
  private static ChannelCredentials security() throws IOException {
    String authority = System.getenv("KERASCOPE_TLS_CA");
    return authority == null
        ? InsecureChannelCredentials.create()
        : TlsChannelCredentials.newBuilder().trustManager(new File(authority)).build();
  }

  /** The token as a header, where there is one. */
  private static Metadata token() throws IOException {
    Metadata headers = new Metadata();
    String file = System.getenv("KERASCOPE_TOKEN_FILE");
    if (file != null) {
      headers.put(key("authorization"), "Bearer " + Files.readString(Path.of(file)).trim());
    }
    return headers;
  }

  private static Metadata.Key<String> key(String name) {
    return Metadata.Key.of(name, Metadata.ASCII_STRING_MARSHALLER);
  }
}
