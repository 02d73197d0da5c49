// Time of each step that a picture takes to the language model, and memory.
//   vision_bench PICTURE [MMPROJ [THREADS [ISA]]]
// Steps before the tower: processor time, the best of five runs on one thread; "decode" is the
// library's own work with nothing around it. The tower: one run by the clock.

#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <memory>
#include <string>
#include <vector>

#include "gguf/model_file.h"
#include "io/file.h"
#include "vision/decode.h"
#include "vision/patches.h"
#include "vision/prepare.h"
#include "vision/resize.h"
#include "vision/tower.h"

namespace tandem {
namespace {

template <typename F>
double Seconds(F&& f) {
  const auto start = std::chrono::steady_clock::now();
  f();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// Of the processor, so that neighbours on the machine do not count.
template <typename F>
double Best(F&& f) {
  double best = 1e9;
  for (int i = 0; i < 5; ++i) {
    const std::clock_t start = std::clock();
    f();
    best = std::min(best, static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC);
  }
  return best;
}

double PeakMegabytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024;
}

void Preprocess(const std::string& file, const PixelRange& range) {
  const PatchShape shape;
  Picture picture;
  const double decode =
      Best([&] { picture = DecodePicture(std::as_bytes(std::span(file)), "picture").value(); });
  PreparedMedia media;
  const double resize =
      Best([&] { media = PrepareImage(picture, range, shape, "picture").value(); });
  std::vector<float> rows(kTowerRows * PatchValues(shape));
  // As the tower does it: so many rows at a time, spread over two threads.
  const auto ops = MakeCpuOps({.threads = 2, .max_rows = 1, .max_cols = 1}).value();
  const auto fill = [&] {
    for (std::size_t at = 0; at < media.grid.patches(); at += kTowerRows) {
      const std::size_t n = std::min(kTowerRows, media.grid.patches() - at);
      constexpr std::size_t kPart = 32;
      ops->ForEach((n + kPart - 1) / kPart, [&](std::size_t i) {
        FillPatches(media, shape, at + i * kPart,
                    Mat<float>(rows.data() + i * kPart * PatchValues(shape),
                               std::min(kPart, n - i * kPart), PatchValues(shape)));
      });
    }
  };
  const double patch = Best(fill);
  double whole = 1e9;
  double library = 1e9;
  for (int i = 0; i < 5; ++i) {
    library = std::min(library, Seconds([&] {
                         picture = DecodePicture(std::as_bytes(std::span(file)), "picture").value();
                       }));
    whole = std::min(
        whole, Seconds([&] {
          media = PreparePicture(std::as_bytes(std::span(file)), "picture", range, shape).value();
          fill();
        }));
  }
  std::printf("by the clock: decode %.1f ms, decode, resize and patches %.1f ms: %.2f x\n",
              library * 1e3, whole * 1e3, whole / library);
  std::printf("%zu x %zu -> %zu x %zu: decode %.1f ms, resize %.1f ms, patches %.1f ms: %.2f x\n",
              picture.width, picture.height, media.frames[0].width, media.frames[0].height,
              decode * 1e3, resize * 1e3, patch * 1e3, (decode + resize + patch) / decode);
}

void Tower(const std::string& file, const std::string& mmproj, const CpuOptions& cpu) {
  const auto model = gguf::ModelFile::Open(mmproj).value();
  const auto tower = LoadVisionTower(*model).value();
  CpuOptions options = cpu;
  options.max_rows = kTowerRows;
  options.max_cols = tower->widest_input();
  const auto ops = MakeCpuOps(options).value();
  const PatchShape& shape = tower->config().shape;
  const PreparedMedia media =
      PrepareImage(DecodePicture(std::as_bytes(std::span(file)), "picture").value(),
                   {65'536, 16'777'216}, shape, "picture")
          .value();
  const std::size_t rows = media.grid.patches() / tower->config().patches_per_token();
  std::vector<float> out(rows * tower->config().out_width);
  const double before = PeakMegabytes();
  const double seconds = Seconds([&] {
    static_cast<void>(tower->Encode(
        *ops, media, Mat<float>(out.data(), rows, tower->config().out_width), nullptr));
  });
  std::printf("tower: %zu patches in %.2f s, %zu threads, %s; peak %.0f MB, before %.0f MB\n",
              media.grid.patches(), seconds, ops->threads(), std::string(ops->isa()).c_str(),
              PeakMegabytes(), before);
}

}  // namespace
}  // namespace tandem

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fputs("usage: vision_bench PICTURE [MMPROJ [THREADS [ISA]]]\n", stderr);
    return 2;
  }
  const std::string file = tandem::ReadFile(argv[1]).value();
  tandem::Preprocess(file, {65'536, 16'777'216});
  tandem::Preprocess(file, {65'536, 1024 * 1024});
  if (argc > 2) {
    tandem::CpuOptions cpu;
    cpu.threads = argc > 3 ? static_cast<std::size_t>(std::atoi(argv[3])) : 1;
    cpu.isa = argc > 4 ? argv[4] : "auto";
    tandem::Tower(file, argv[2], cpu);
  }
  return 0;
}
