#include <algorithm>
#include <cstring>

#include "base/aligned_buffer.h"
#include "kernels/kernel_test.h"

namespace tandem::cpu {
namespace {

class DeltaKernel : public KernelTest {};
TANDEM_FOR_EACH_TIER(DeltaKernel);

// The inputs of one value head: `rows` rows, decays exp(a softplus(alpha + dt)).
struct Sequence {
  // Decay is about exp(-a): strong for a = 3, weak for a = 0.001.
  Sequence(std::size_t rows_in, std::size_t dim_in, float a_in, std::uint32_t seed)
      : rows(rows_in), dim(dim_in), stride(3 * dim_in + 1), a(-a_in) {
    Random random(seed);
    qkv = random.Normals(rows * stride + 1);
    beta = random.Normals(rows * 2, 2);
    alpha = random.Normals(rows * 3);
    state = random.Normals(dim * dim, 0.5F);
  }

  struct Result {
    std::vector<float> out;  // rows x dim
    std::vector<float> state;
  };

  DeltaTask Task(std::size_t begin, std::size_t count, Result& result, void* scratch) const {
    const float* row = qkv.data() + 1 + begin * stride;
    return {.q = row,
            .k = row + dim,
            .v = row + 2 * dim,
            .qkv_stride = stride,
            .beta = beta.data() + 2 * begin,
            .beta_stride = 2,
            .alpha = alpha.data() + 3 * begin,
            .alpha_stride = 3,
            .a = a,
            .dt = 0.5F,
            .rows = count,
            .dim = dim,
            .state = result.state.data(),
            .snapshots = nullptr,
            .snapshot_offset = 0,
            .out = result.out.data() + begin * dim,
            .out_stride = dim,
            .scratch = scratch};
  }

  // In calls of the given lengths, the last repeated.
  Result Run(const KernelTable& table, const std::vector<std::size_t>& calls) const {
    AlignedBuffer<std::byte> scratch(kScratchBytes);
    Result result = {std::vector<float>(rows * dim), state};
    for (std::size_t begin = 0, i = 0; begin < rows; ++i) {
      const std::size_t count = std::min(rows - begin, calls[std::min(i, calls.size() - 1)]);
      table.delta(Task(begin, count, result, scratch.data()));
      begin += count;
    }
    return result;
  }

  std::size_t rows;
  std::size_t dim;
  std::size_t stride;
  float a;
  std::vector<float> qkv;
  std::vector<float> beta;
  std::vector<float> alpha;
  std::vector<float> state;
};

// [keys][values] to [values][keys] or back.
std::vector<double> Transposed(const std::vector<float>& state, std::size_t n) {
  std::vector<double> result(n * n);
  for (std::size_t i = 0; i < n * n; ++i) {
    result[i % n * n + i / n] = static_cast<double>(state[i]);
  }
  return result;
}

// Everything in double: the recurrence of models.md 2.5 step by step, and the chunked parallel
// form.
struct Exact {
  explicit Exact(const Sequence& sequence)
      : n(sequence.dim), rows(sequence.rows), state(Transposed(sequence.state, n)) {
    for (std::size_t t = 0; t < rows; ++t) {
      const float* row = sequence.qkv.data() + 1 + t * sequence.stride;
      Append(q, row, 1 / std::sqrt(static_cast<double>(n)), true);
      Append(k, row + n, 1, true);
      Append(v, row + 2 * n, 1, false);
      const auto alpha = static_cast<double>(sequence.alpha[3 * t]) + 0.5;
      const double softplus = alpha > 20 ? alpha : std::log1p(std::exp(alpha));
      g.push_back(static_cast<double>(sequence.a) * softplus);
      beta.push_back(1 / (1 + std::exp(-static_cast<double>(sequence.beta[2 * t]))));
    }
  }

  void Append(std::vector<double>& to, const float* x, double scale, bool normalise) const {
    double sum = 0;
    for (std::size_t i = 0; i < n; ++i) {
      sum += static_cast<double>(x[i]) * static_cast<double>(x[i]);
    }
    const double factor = normalise ? scale / std::sqrt(sum + 1e-6) : 1;
    for (std::size_t i = 0; i < n; ++i) {
      to.push_back(static_cast<double>(x[i]) * factor);
    }
  }

  static double Dot(const double* x, const double* y, std::size_t n) {
    double sum = 0;
    for (std::size_t i = 0; i < n; ++i) {
      sum += x[i] * y[i];
    }
    return sum;
  }

  std::vector<double> Scan() {
    std::vector<double> out(rows * n);
    for (std::size_t t = 0; t < rows; ++t) {
      const double decay = std::exp(g[t]);
      for (std::size_t c = 0; c < n; ++c) {
        double* s = state.data() + c * n;
        const double predicted = decay * Dot(s, k.data() + t * n, n);
        const double delta = beta[t] * (v[t * n + c] - predicted);
        for (std::size_t i = 0; i < n; ++i) {
          s[i] = decay * s[i] + delta * k[t * n + i];
        }
        out[t * n + c] = Dot(s, q.data() + t * n, n);
      }
    }
    return out;
  }

  // Rows [begin, begin + count) at once. x solves (I + A) x = beta (v - e^G S k), A strictly lower
  // with A[i][j] = beta_i (k_i . k_j) e^(G_i - G_j): models.md 2.5 with U - W S = x.
  void Chunk(std::size_t begin, std::size_t count, std::vector<double>& out) {
    std::vector<double> sums(count);
    for (std::size_t i = 0; i < count; ++i) {
      sums[i] = (i > 0 ? sums[i - 1] : 0) + g[begin + i];
    }
    const auto key = [&](std::size_t i) { return k.data() + (begin + i) * n; };
    const auto query = [&](std::size_t i) { return q.data() + (begin + i) * n; };
    for (std::size_t c = 0; c < n; ++c) {
      double* s = state.data() + c * n;
      std::vector<double> x(count);
      for (std::size_t i = 0; i < count; ++i) {
        double rest = v[(begin + i) * n + c] - std::exp(sums[i]) * Dot(s, key(i), n);
        for (std::size_t j = 0; j < i; ++j) {
          rest -= Dot(key(i), key(j), n) * std::exp(sums[i] - sums[j]) * x[j];
        }
        x[i] = beta[begin + i] * rest;
        double o = std::exp(sums[i]) * Dot(s, query(i), n);
        for (std::size_t j = 0; j <= i; ++j) {
          o += Dot(query(i), key(j), n) * std::exp(sums[i] - sums[j]) * x[j];
        }
        out[(begin + i) * n + c] = o;
      }
      for (std::size_t d = 0; d < n; ++d) {
        s[d] *= std::exp(sums[count - 1]);
        for (std::size_t j = 0; j < count; ++j) {
          s[d] += std::exp(sums[count - 1] - sums[j]) * x[j] * key(j)[d];
        }
      }
    }
  }

  std::vector<double> Chunked() {
    std::vector<double> out(rows * n);
    for (std::size_t begin = 0; begin < rows; begin += 64) {
      Chunk(begin, std::min<std::size_t>(64, rows - begin), out);
    }
    return out;
  }

  std::size_t n;
  std::size_t rows;
  std::vector<double> state;  // [values][keys]
  std::vector<double> q;
  std::vector<double> k;
  std::vector<double> v;
  std::vector<double> g;
  std::vector<double> beta;
};

// Root mean square of got - want over that of want.
template <typename T, typename U>
double RelativeError(const std::vector<T>& got, const std::vector<U>& want) {
  double error = 0;
  double size = 0;
  for (std::size_t i = 0; i < want.size(); ++i) {
    const double difference = static_cast<double>(got[i]) - static_cast<double>(want[i]);
    error += difference * difference;
    size += static_cast<double>(want[i]) * static_cast<double>(want[i]);
  }
  return std::sqrt(error / size);
}

constexpr float kDecays[] = {20.0F, 3.0F, 0.1F, 0.001F, 0.00001F};

TEST(DeltaForms, ChunkedFormAgreesWithTheScan) {
  // The reference prefills in chunks of 64; this is the same function. Our kernels scan instead:
  // as many operations at D = 128, C = 64, and the bits of decode.
  for (const float a : kDecays) {
    const Sequence sequence(150, 32, a, 1);
    Exact scan(sequence);
    Exact chunked(sequence);
    EXPECT_LT(RelativeError(chunked.Chunked(), scan.Scan()), 1e-13) << a;
    EXPECT_LT(RelativeError(chunked.state, scan.state), 1e-13) << a;
  }
}

TEST_P(DeltaKernel, StaysCloseToDoubleOverAThousandRows) {
  for (const std::size_t dim : Sizes{16, 128}) {
    for (const float a : kDecays) {
      const Sequence sequence(1000, dim, a, 2);
      Exact exact(sequence);
      const std::vector<double> want = exact.Scan();
      const Sequence::Result got = sequence.Run(table_, {sequence.rows});
      const double error = RelativeError(got.out, want);
      const double twin = RelativeError(sequence.Run(scalar_, {sequence.rows}).out, want);
      // The twin rounds its state to float after every row as well; sums in float add little.
      EXPECT_LT(error, 3 * twin) << "dim=" << dim << " a=" << a;
    }
  }
}

TEST_P(DeltaKernel, MatchesScalarAtEveryWidth) {
  for (std::size_t dim = 1; dim <= 70; ++dim) {
    for (const std::size_t rows : Sizes{1, 2, 7}) {
      const Sequence sequence(rows, dim, 0.1F, static_cast<std::uint32_t>(dim));
      const Sequence::Result want = sequence.Run(scalar_, {rows});
      const Sequence::Result got = sequence.Run(table_, {rows});
      // A few roundings per row, of sums that are no larger than the sum of magnitudes.
      const double bound = 16 * static_cast<double>(rows) * kUnitRoundoff;
      EXPECT_LT(RelativeError(got.out, want.out), bound) << "dim=" << dim << " rows=" << rows;
      EXPECT_LT(RelativeError(got.state, want.state), bound) << "dim=" << dim << " rows=" << rows;
    }
  }
}

TEST_P(DeltaKernel, CallsOfAnyLengthGiveTheSameBits) {
  for (const std::size_t dim : Sizes{5, 16, 24, 32, 128}) {
    for (const float a : kDecays) {
      const Sequence sequence(150, dim, a, 3);
      const Sequence::Result whole = sequence.Run(table_, {sequence.rows});
      for (const std::vector<std::size_t>& calls : std::vector<std::vector<std::size_t>>{
               {1}, {65, 85}, {64, 1}, {63, 2, 85}, {149, 1}, {7}}) {
        const Sequence::Result pieces = sequence.Run(table_, calls);
        EXPECT_EQ(pieces.out, whole.out) << "dim=" << dim << " a=" << a << " first=" << calls[0];
        EXPECT_EQ(pieces.state, whole.state) << "dim=" << dim << " first=" << calls[0];
      }
    }
  }
}

TEST_P(DeltaKernel, SnapshotIsTheStateAfterItsRow) {
  // One offset is not aligned to any vector, the other to all.
  for (const std::size_t offset : Sizes{9, 16}) {
    for (const std::size_t dim : Sizes{6, 16, 128}) {
      const Sequence sequence(70, dim, 0.1F, 4);
      AlignedBuffer<std::byte> scratch(kScratchBytes);
      std::vector<AlignedBuffer<float>> copies(sequence.rows);
      std::vector<float*> pointers(sequence.rows, nullptr);
      for (const std::size_t t : Sizes{0, 3, 63, 64, 69}) {
        copies[t] = AlignedBuffer<float>(offset + dim * dim);
        pointers[t] = copies[t].data();
      }
      Sequence::Result result = {std::vector<float>(sequence.rows * dim), sequence.state};
      DeltaTask task = sequence.Task(0, sequence.rows, result, scratch.data());
      task.snapshots = pointers.data();
      task.snapshot_offset = offset;
      table_.delta(task);
      Sequence::Result steps = {std::vector<float>(sequence.rows * dim), sequence.state};
      for (std::size_t t = 0; t < sequence.rows; ++t) {
        table_.delta(sequence.Task(t, 1, steps, scratch.data()));
        if (pointers[t] != nullptr) {
          EXPECT_TRUE(std::equal(steps.state.begin(), steps.state.end(), pointers[t] + offset))
              << "dim=" << dim << " t=" << t << " offset=" << offset;
        }
      }
    }
  }
}

}  // namespace
}  // namespace tandem::cpu
