#include "tests/support/reference_ops.h"

#include <algorithm>
#include <cmath>

#include "quant/formats.h"

namespace tandem {
namespace {

double Sigmoid(double x) {
  return 1 / (1 + std::exp(-x));
}

// 1 / sqrt(mean of the squares + eps).
double InverseRms(const float* x, std::size_t count, double eps) {
  double sum = 0;
  for (std::size_t i = 0; i < count; ++i) {
    sum += static_cast<double>(x[i]) * static_cast<double>(x[i]);
  }
  return 1 / std::sqrt(sum / static_cast<double>(count) + eps);
}

double Dot(const float* a, const float* b, std::size_t count) {
  double sum = 0;
  for (std::size_t i = 0; i < count; ++i) {
    sum += static_cast<double>(a[i]) * static_cast<double>(b[i]);
  }
  return sum;
}

std::vector<float> DecodeRow(const QMat& matrix, std::size_t row) {
  std::vector<float> values(matrix.cols);
  quant::Decode(*quant::FindFormat(matrix.type), {matrix.Row(row), matrix.row_bytes}, values);
  return values;
}

// q or k of the delta rule, to unit length (eps inside the root), times `scale`.
std::vector<double> UnitLength(const float* x, std::size_t count, double scale) {
  const double factor = scale / std::sqrt(Dot(x, x, count) + 1e-6);
  std::vector<double> unit(count);
  for (std::size_t i = 0; i < count; ++i) {
    unit[i] = static_cast<double>(x[i]) * factor;
  }
  return unit;
}

}  // namespace

void ReferenceOps::Embed(const QMat& table_VE, std::span<const TokenId> ids, Mat<float> x_TE) {
  for (std::size_t t = 0; t < ids.size(); ++t) {
    if (ids[t] >= 0) {
      const std::vector<float> row = DecodeRow(table_VE, static_cast<std::size_t>(ids[t]));
      std::copy(row.begin(), row.end(), x_TE.Row(t));
    }
  }
}

void ReferenceOps::RmsNorm(Mat<const float> x_TE, std::span<const float> gain_E, float eps,
                           Mat<float> y_TE) {
  for (std::size_t t = 0; t < x_TE.rows; ++t) {
    const double factor = InverseRms(x_TE.Row(t), x_TE.cols, static_cast<double>(eps));
    for (std::size_t e = 0; e < x_TE.cols; ++e) {
      y_TE.Row(t)[e] = static_cast<float>(static_cast<double>(x_TE.Row(t)[e]) * factor *
                                          static_cast<double>(gain_E[e]));
    }
  }
}

void ReferenceOps::AddTo(Mat<const float> x_TE, Mat<float> y_TE) {
  for (std::size_t t = 0; t < x_TE.rows; ++t) {
    for (std::size_t e = 0; e < x_TE.cols; ++e) {
      y_TE.Row(t)[e] += x_TE.Row(t)[e];
    }
  }
}

void ReferenceOps::MatMul(Mat<const float> x_TI, std::span<const MatMulTask> tasks) {
  for (const MatMulTask& task : tasks) {
    for (std::size_t o = 0; o < task.w_OI->rows; ++o) {
      const std::vector<float> w_I = DecodeRow(*task.w_OI, o);
      for (std::size_t t = 0; t < x_TI.rows; ++t) {
        task.y_TO.Row(t)[o] = static_cast<float>(Dot(x_TI.Row(t), w_I.data(), w_I.size()));
      }
    }
  }
}

void ReferenceOps::SwiGluInPlace(Mat<float> gate_TF, Mat<const float> up_TF) {
  for (std::size_t t = 0; t < gate_TF.rows; ++t) {
    for (std::size_t f = 0; f < gate_TF.cols; ++f) {
      const auto gate = static_cast<double>(gate_TF.Row(t)[f]);
      gate_TF.Row(t)[f] =
          static_cast<float>(gate * Sigmoid(gate) * static_cast<double>(up_TF.Row(t)[f]));
    }
  }
}

void ReferenceOps::HeadNormRopeInPlace(Mat<float> x_TX, std::size_t heads, std::size_t head_stride,
                                       std::size_t head_dim, std::span<const float> gain_D,
                                       float eps, const RopeArgs& rope) {
  const std::size_t half = rope.cos_TR.cols;
  for (std::size_t t = 0; t < x_TX.rows; ++t) {
    for (std::size_t h = 0; h < heads; ++h) {
      float* x = x_TX.Row(t) + h * head_stride;
      std::vector<double> normed(x, x + head_dim);
      if (!gain_D.empty()) {
        const double factor = InverseRms(x, head_dim, static_cast<double>(eps));
        for (std::size_t i = 0; i < head_dim; ++i) {
          normed[i] *= factor * static_cast<double>(gain_D[i]);
        }
      }
      for (std::size_t i = 0; i < head_dim; ++i) {
        x[i] = static_cast<float>(normed[i]);
      }
      for (std::size_t i = 0; i < half; ++i) {
        const auto c = static_cast<double>(rope.cos_TR.Row(t)[i]);
        const auto s = static_cast<double>(rope.sin_TR.Row(t)[i]);
        x[i] = static_cast<float>(normed[i] * c - normed[i + half] * s);
        x[i + half] = static_cast<float>(normed[i + half] * c + normed[i] * s);
      }
    }
  }
}

void ReferenceOps::KvAppend(Mat<const float> k_TK, Mat<const float> v_TK, std::size_t kv_heads,
                            std::size_t head_dim, std::span<const KvSegment> segments) {
  TANDEM_CHECK(segments.size() == 1, "the reference takes one sequence");
  const std::size_t width = kv_heads * head_dim;
  Cache& cache = caches_[segments[0].kv.layer_offset];
  TANDEM_CHECK(cache.keys.size() >= segments[0].past * width, "rows must follow each other");
  cache.keys.resize(segments[0].past * width);
  cache.values.resize(segments[0].past * width);
  for (std::size_t t = 0; t < segments[0].rows; ++t) {
    cache.keys.insert(cache.keys.end(), k_TK.Row(t), k_TK.Row(t) + width);
    cache.values.insert(cache.values.end(), v_TK.Row(t), v_TK.Row(t) + width);
  }
}

void ReferenceOps::Attention(const AttentionArgs& args, Mat<float> out_TQ) {
  const KvSegment& segment = args.segments[0];
  const Cache& cache = caches_[segment.kv.layer_offset];
  const std::size_t width = args.kv_heads * args.head_dim;
  const std::size_t group = args.heads / args.kv_heads;
  for (std::size_t t = 0; t < segment.rows; ++t) {
    const std::size_t keys = segment.past + t + 1;
    for (std::size_t h = 0; h < args.heads; ++h) {
      const std::size_t offset = h / group * args.head_dim;
      const float* q = args.q_TQ.Row(t) + h * args.q_head_stride;
      std::vector<double> weights(keys);
      for (std::size_t s = 0; s < keys; ++s) {
        weights[s] = Dot(q, cache.keys.data() + s * width + offset, args.head_dim) *
                     static_cast<double>(args.scale);
      }
      const double largest = *std::max_element(weights.begin(), weights.end());
      double total = 0;
      std::vector<double> sum(args.head_dim);
      for (std::size_t s = 0; s < keys; ++s) {
        const double weight = std::exp(weights[s] - largest);
        const float* v = cache.values.data() + s * width + offset;
        total += weight;
        for (std::size_t i = 0; i < args.head_dim; ++i) {
          sum[i] += weight * static_cast<double>(v[i]);
        }
      }
      for (std::size_t i = 0; i < args.head_dim; ++i) {
        out_TQ.Row(t)[h * args.head_dim + i] = static_cast<float>(sum[i] / total);
      }
    }
  }
}

void ReferenceOps::SigmoidGateInPlace(Mat<float> x_TQ, std::size_t heads, std::size_t head_dim,
                                      Mat<const float> gate_TX, std::size_t gate_head_stride) {
  for (std::size_t t = 0; t < x_TQ.rows; ++t) {
    for (std::size_t h = 0; h < heads; ++h) {
      const float* gate = gate_TX.Row(t) + h * gate_head_stride;
      float* x = x_TQ.Row(t) + h * head_dim;
      for (std::size_t i = 0; i < head_dim; ++i) {
        x[i] =
            static_cast<float>(static_cast<double>(x[i]) * Sigmoid(static_cast<double>(gate[i])));
      }
    }
  }
}

void ReferenceOps::ConvSilu(Mat<const float> x_TC, Mat<const float> w_C4,
                            std::span<const ConvSegment> segments, Mat<float> y_TC) {
  for (const ConvSegment& segment : segments) {
    std::vector<float> history(segment.state_3C, segment.state_3C + 3 * x_TC.cols);
    for (std::size_t t = 0; t < segment.rows; ++t) {
      const float* x = x_TC.Row(segment.row_begin + t);
      history.insert(history.end(), x, x + x_TC.cols);
      for (std::size_t c = 0; c < x_TC.cols; ++c) {
        double sum = 0;
        for (std::size_t j = 0; j < 4; ++j) {
          sum += static_cast<double>(w_C4.Row(c)[j]) *
                 static_cast<double>(history[(t + j) * x_TC.cols + c]);
        }
        y_TC.Row(segment.row_begin + t)[c] = static_cast<float>(sum * Sigmoid(sum));
      }
    }
    std::copy(history.end() - static_cast<std::ptrdiff_t>(3 * x_TC.cols), history.end(),
              segment.state_3C);
  }
}

void ReferenceOps::GatedDelta(const DeltaArgs& args, Mat<float> out_TV) {
  const std::size_t d = args.head_dim;
  const DeltaSegment& segment = args.segments[0];
  for (std::size_t t = 0; t < segment.rows; ++t) {
    const float* row = args.qkv_TC.Row(segment.row_begin + t);
    for (std::size_t h = 0; h < args.value_heads; ++h) {
      const std::size_t key_head = h % args.key_heads;
      const auto q = UnitLength(row + key_head * d, d, 1 / std::sqrt(static_cast<double>(d)));
      const auto k = UnitLength(row + (args.key_heads + key_head) * d, d, 1);
      const float* v = row + (2 * args.key_heads + h) * d;
      const auto alpha = static_cast<double>(args.alpha_TH.Row(segment.row_begin + t)[h]);
      const double dt = std::log1p(std::exp(alpha + static_cast<double>(args.dt_H[h])));
      const double decay = std::exp(static_cast<double>(args.a_H[h]) * dt);
      const double beta = Sigmoid(static_cast<double>(args.beta_TH.Row(segment.row_begin + t)[h]));
      float* state = segment.state_HDD + h * d * d;  // [key][value]
      for (std::size_t i = 0; i < d; ++i) {
        double seen = 0;
        for (std::size_t j = 0; j < d; ++j) {
          seen += decay * static_cast<double>(state[j * d + i]) * k[j];
        }
        const double change = beta * (static_cast<double>(v[i]) - seen);
        double out = 0;
        for (std::size_t j = 0; j < d; ++j) {
          const double next = decay * static_cast<double>(state[j * d + i]) + change * k[j];
          state[j * d + i] = static_cast<float>(next);
          out += next * q[j];
        }
        out_TV.Row(segment.row_begin + t)[h * d + i] = static_cast<float>(out);
      }
    }
  }
}

void ReferenceOps::GatedHeadNormInPlace(Mat<float> x_TV, Mat<const float> z_TV,
                                        std::span<const float> gain_D, float eps) {
  const std::size_t d = gain_D.size();
  for (std::size_t t = 0; t < x_TV.rows; ++t) {
    for (std::size_t begin = 0; begin < x_TV.cols; begin += d) {
      float* x = x_TV.Row(t) + begin;
      const double factor = InverseRms(x, d, static_cast<double>(eps));
      for (std::size_t i = 0; i < d; ++i) {
        const auto z = static_cast<double>(z_TV.Row(t)[begin + i]);
        x[i] = static_cast<float>(static_cast<double>(x[i]) * factor *
                                  static_cast<double>(gain_D[i]) * z * Sigmoid(z));
      }
    }
  }
}

}  // namespace tandem
