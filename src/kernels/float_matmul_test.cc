#include "base/aligned_buffer.h"
#include "base/half.h"
#include "kernels/kernel_test.h"

namespace tandem::cpu {
namespace {

class FloatMatMul : public KernelTest {};
TANDEM_FOR_EACH_TIER(FloatMatMul);

constexpr std::size_t kF16 = 1;
constexpr std::size_t kBf16 = 30;

struct Product {
  Product(std::size_t type_in, std::size_t rows_in, std::size_t tokens_in, std::size_t cols_in)
      : type(type_in), rows(rows_in), tokens(tokens_in), cols(cols_in) {
    Random random(static_cast<std::uint32_t>(rows + 100 * tokens + 10000 * cols));
    exact = random.Normals(rows * cols);
    for (float& value : exact) {
      w.push_back(type == kF16 ? FloatToHalf(value) : FloatToBf16(value));
      value = type == kF16 ? HalfToFloat(w.back()) : Bf16ToFloat(w.back());
    }
    x = random.Normals(tokens * Stride());
  }

  std::size_t Stride() const { return cols + 1; }

  // Rows [row, row + row_count) and tokens [token, token + token_count), as a rows-long line of y
  // per token.
  std::vector<float> Run(const KernelTable& table, std::size_t row, std::size_t row_count,
                         std::size_t token, std::size_t token_count) const {
    std::vector<float> y(token_count * row_count);
    MatMulArgs args = {};
    args.w = w.data() + row * cols;
    args.w_row_bytes = cols * sizeof(std::uint16_t);
    args.rows = row_count;
    args.cols = cols;
    args.x = x.data() + token * Stride();
    args.x_row_bytes = Stride() * sizeof(float);
    args.tokens = token_count;
    args.y = y.data();
    args.y_stride = row_count;
    table.matmul[type].run(args);
    return y;
  }

  // All rows and tokens by the kernel for many tokens.
  std::vector<float> RunPacked(const KernelTable& table) const {
    std::vector<float> y(tokens * rows);
    AlignedBuffer<std::byte> scratch(kScratchBytes);
    const std::size_t panel = table.packed_tokens;
    const std::size_t panels = (tokens + panel - 1) / panel;
    for (std::size_t column = 0; column < cols; column += kPackedColumns) {
      const std::size_t columns = std::min(kPackedColumns, cols - column);
      AlignedBuffer<float> packed(panels * panel * ((columns + 15) / 16 * 16));
      for (std::size_t block = 0; block < columns; block += kPackedBlock) {
        const std::size_t block_columns = std::min(kPackedBlock, columns - block);
        float* out = packed.data() + block * panels * panel;
        for (std::size_t t = 0; t < tokens; t += panel) {
          table.pack_floats(x.data() + t * Stride() + column + block, Stride(),
                            std::min(panel, tokens - t), block_columns, out);
          out += panel * ((block_columns + 15) / 16 * 16);
        }
      }
      PackedMatMulArgs args = {};
      args.w = w.data();
      args.w_row_bytes = cols * sizeof(std::uint16_t);
      args.rows = rows;
      args.column = column;
      args.columns = columns;
      args.x = packed.data();
      args.tokens = tokens;
      args.y = y.data();
      args.y_stride = rows;
      args.w_end = w.data() + w.size();
      args.scratch = scratch.data();
      table.matmul[type].run_packed(args);
    }
    return y;
  }

  std::size_t type;
  std::size_t rows;
  std::size_t tokens;
  std::size_t cols;
  std::vector<std::uint16_t> w;
  std::vector<float> exact;  // the weights in single precision
  std::vector<float> x;
};

std::vector<Product> Products() {
  std::vector<Product> products;
  for (const std::size_t type : Sizes{kF16, kBf16}) {
    for (std::size_t cols = 1; cols <= 33; ++cols) {
      products.emplace_back(type, 1 + cols % 9, 1 + cols % 7, cols);
    }
    for (const std::size_t cols : Sizes{1024, 1040, 2560, 3077, 7000}) {
      for (const std::size_t tokens : Sizes{1, 2, 3, 4, 5, 8, 18}) {
        products.emplace_back(type, 7, tokens, cols);
      }
    }
  }
  return products;
}

TEST_P(FloatMatMul, StaysWithinOneRoundingPerProduct) {
  for (const Product& p : Products()) {
    SCOPED_TRACE(testing::Message() << "type=" << p.type << " cols=" << p.cols);
    const std::vector<float> y = p.Run(table_, 0, p.rows, 0, p.tokens);
    for (std::size_t t = 0; t < p.tokens; ++t) {
      for (std::size_t r = 0; r < p.rows; ++r) {
        double want = 0;
        double magnitude = 0;
        for (std::size_t i = 0; i < p.cols; ++i) {
          const double product = static_cast<double>(p.exact[r * p.cols + i]) *
                                 static_cast<double>(p.x[t * p.Stride() + i]);
          want += product;
          magnitude += std::fabs(product);
        }
        // The longest chain of additions: a lane's part of a block, the lanes, the blocks.
        const double chain = std::min(1024.0, static_cast<double>(p.cols)) / 8 + 5 +
                             std::ceil(static_cast<double>(p.cols) / 1024);
        ASSERT_NEAR(static_cast<double>(y[t * p.rows + r]), want,
                    chain * kUnitRoundoff * magnitude);
      }
    }
  }
}

TEST_P(FloatMatMul, ElementGivesTheSameBitsAloneAndAmongOthers) {
  for (const Product& p : Products()) {
    SCOPED_TRACE(testing::Message() << "type=" << p.type << " cols=" << p.cols);
    const std::vector<float> y = p.Run(table_, 0, p.rows, 0, p.tokens);
    for (std::size_t t = 0; t < p.tokens; ++t) {
      const std::vector<float> row = p.Run(table_, 0, p.rows, t, 1);
      for (std::size_t r = 0; r < p.rows; ++r) {
        ASSERT_EQ(row[r], y[t * p.rows + r]) << "token " << t;
        ASSERT_EQ(p.Run(table_, r, 1, t, 1)[0], row[r]) << "row " << r;
      }
    }
  }
}

TEST_P(FloatMatMul, ManyTokensGetTheBitsOfFew) {
  if (table_.packed_tokens == 0) {
    GTEST_SKIP() << "no kernel for many tokens";
  }
  std::vector<Product> products = Products();
  for (const std::size_t type : Sizes{kF16, kBf16}) {
    products.emplace_back(type, 75, 40, 1100);
    products.emplace_back(type, 37, 32, 3200);  // columns of two calls
    products.emplace_back(type, 3, 1100, 20);   // more tokens than one sweep takes
  }
  for (const Product& p : products) {
    SCOPED_TRACE(testing::Message() << "type=" << p.type << " tokens=" << p.tokens
                                    << " rows=" << p.rows << " cols=" << p.cols);
    ASSERT_EQ(p.RunPacked(table_), p.Run(table_, 0, p.rows, 0, p.tokens));
  }
}

}  // namespace
}  // namespace tandem::cpu
