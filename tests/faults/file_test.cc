// Disks that fail, and memory that runs out, at any point of reading and writing files: an error of
// one line, and the file that was to be written is whole, or is what it was before.

#include "io/file.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <new>
#include <string>

#include <gtest/gtest.h>

#include "cli/repl/saved_chat.h"
#include "convert/convert.h"
#include "gguf/model_file.h"
#include "quantize/plan.h"
#include "quantize/quantizer.h"
#include "quantize/source.h"
#include "store/journal.h"
#include "tests/faults/fault_points.h"
#include "tests/support/tiny_model.h"

namespace tandem {
namespace {

namespace fs = std::filesystem;
using faults::Fault;
using faults::Kind;
using faults::Span;

constexpr std::size_t kMost = 100;

/// What a caller at the edge of the program makes of `call`.
Status Caught(const std::function<Status()>& call) {
  try {
    return call();
  } catch (const std::bad_alloc&) {
    return {StatusCode::kOutOfMemory, "out of memory"};
  }
}

class Faults : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "tandem-faults-XXXXXX").native();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
    fs::create_directory(folder_ / "out");
  }
  void TearDown() override { fs::remove_all(folder_); }

  fs::path Output() const { return folder_ / "out" / "file"; }

  fs::path TinyModelFile() const {
    const TinyModel model = MakeTinyPhi({.context = 128});
    std::ofstream(folder_ / "tiny.gguf", std::ios::binary)
        .write(reinterpret_cast<const char*>(model.bytes.data()),
               static_cast<std::streamsize>(model.bytes.size()));
    return folder_ / "tiny.gguf";
  }

  static std::string Read(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  }

  /// `write` makes Output(). With each of its calls failing, that file is as before or whole, and
  /// nothing else is left in its folder.
  void SweepWriting(const std::function<Status()>& write) {
    const Status good = Caught(write);
    ASSERT_TRUE(good.ok()) << good.message();
    const std::string whole = Read(Output());
    ASSERT_NE(whole, "");
    for (const Kind kind : {Kind::kFile, Kind::kAllocation}) {
      for (const std::string before : {"", "what was there before"}) {
        fs::remove(Output());
        std::size_t calls = 0;
        {
          const Fault count(kind, 0);
          ASSERT_TRUE(Caught(write).ok());
          calls = count.calls();
        }
        ASSERT_GT(calls, 0U);
        for (const Span span : {Span::kOne, Span::kRest}) {
          faults::Sweep(calls, kMost,
                        [&](std::size_t n) { WriteOnce(write, kind, n, span, before, whole); });
        }
      }
    }
  }

  /// With each of its calls failing, `read` says why in one line, and works again afterwards.
  void SweepReading(const std::function<Status()>& read) {
    for (const Kind kind : {Kind::kFile, Kind::kAllocation}) {
      std::size_t calls = 0;
      {
        const Fault count(kind, 0);
        const Status status = Caught(read);
        ASSERT_TRUE(status.ok()) << status.message();
        calls = count.calls();
      }
      ASSERT_GT(calls, 0U);
      faults::Sweep(calls, kMost, [&](std::size_t n) {
        Fault fault(kind, n);
        const Status status = Caught(read);
        fault.Disarm();
        ASSERT_FALSE(status.ok()) << n;
        const bool fits = status.code() == StatusCode::kOutOfMemory ||
                          (kind == Kind::kFile && status.code() == StatusCode::kIo);
        EXPECT_TRUE(fits) << n << ": " << status.message();
        EXPECT_EQ(status.message().find('\n'), std::string::npos) << n;
      });
      EXPECT_TRUE(Caught(read).ok());
    }
  }

  void WriteOnce(const std::function<Status()>& write, Kind kind, std::size_t n, Span span,
                 const std::string& before, const std::string& whole) {
    fs::remove(Output());
    if (!before.empty()) {
      std::ofstream(Output()) << before;
    }
    Fault fault(kind, n, span);
    const Status status = Caught(write);
    fault.Disarm();
    if (!status.ok()) {
      EXPECT_NE(status.message(), "") << n;
      EXPECT_EQ(status.message().find('\n'), std::string::npos) << n;
      EXPECT_EQ(status.message().find("Success"), std::string::npos) << status.message();
      if (kind == Kind::kAllocation) {
        EXPECT_EQ(status.code(), StatusCode::kOutOfMemory) << n << ": " << status.message();
      }
    }
    const bool there = fs::exists(Output());
    const std::string now = there ? Read(Output()) : std::string();
    if (status.ok()) {
      EXPECT_EQ(now, whole) << n;
    } else {
      EXPECT_TRUE(now == before || now == whole) << n << ": half a file of " << now.size();
    }
    const auto entries =
        std::distance(fs::directory_iterator(folder_ / "out"), fs::directory_iterator());
    EXPECT_EQ(entries, there ? 1 : 0) << n << ": something is left over";
  }

  fs::path folder_;
};

TEST_F(Faults, AFileIsWrittenWholeOrNotAtAll) {
  const std::string text(3'000'000, 'x');  // more than the writer's buffer
  SweepWriting([&] { return WriteFileAtomically(Output(), text); });
}

TEST_F(Faults, ASavedConversationIsWholeOrNotThere) {
  const SavedChat chat{.model = "m",
                       .settings = {"temperature=0.5"},
                       .stop = {"x"},
                       .messages = {{.role = "user", .content = "Hi", .reasoning = ""}}};
  SweepWriting([&] { return WriteSavedChat(Output(), chat); });
  const auto read = [&] { return ReadSavedChat(Output()).status(); };
  ASSERT_TRUE(WriteSavedChat(Output(), chat).ok());
  SweepReading(read);
}

TEST_F(Faults, AConvertedFileIsWholeOrNotThere) {
  const fs::path in = TinyModelFile();
  SweepWriting([&] {
    return convert::Convert({.source = in, .output = Output(), .type = "q8_0"}).status();
  });
}

TEST_F(Faults, AQuantisedFileIsWholeOrNotThere) {
  const fs::path in = TinyModelFile();
  SweepWriting([&]() -> Status {
    TANDEM_ASSIGN_OR_RETURN(const auto source, quantize::Source::Open(in));
    TANDEM_ASSIGN_OR_RETURN(const quantize::Mix mix, quantize::FindMix("Q8_0"));
    TANDEM_ASSIGN_OR_RETURN(const auto plan, quantize::MakePlan(source, {.mix = mix}));
    return quantize::WriteQuantized(source, plan, quantize::MetadataFor(source, mix, plan, nullptr),
                                    {.output = Output(), .threads = 2})
        .status();
  });
}

// A model's file.
TEST_F(Faults, AModelFileOpensOrSaysWhyNot) {
  const fs::path in = TinyModelFile();
  SweepReading([&] { return gguf::ModelFile::Open(in).status(); });
  SweepReading([&] { return quantize::Source::Open(in).status(); });
  SweepReading([&] { return ReadFile(in).status(); });
}

// What a journal says is there after any failure is never more than what was entered.
TEST_F(Faults, ADownloadsJournalNeverClaimsTooMuch) {
  const fs::path path = folder_ / "journal";
  constexpr std::uint64_t kSize = std::uint64_t{5} << 20;
  const auto enter = [&]() -> Status {
    TANDEM_ASSIGN_OR_RETURN(Journal journal, Journal::Open(path, "id", kSize));
    TANDEM_RETURN_IF_ERROR(journal.Advance(0, 100));
    return journal.Advance(1, 50);
  };
  std::size_t calls = 0;
  {
    const Fault count(Kind::kFile, 0);
    ASSERT_TRUE(Caught(enter).ok());
    calls = count.calls();
  }
  for (const Kind kind : {Kind::kFile, Kind::kAllocation}) {
    faults::Sweep(calls, kMost, [&](std::size_t n) {
      fs::remove(path);
      Fault fault(kind, n);
      const Status status = Caught(enter);
      fault.Disarm();
      if (!status.ok()) {
        EXPECT_EQ(status.message().find("Success"), std::string::npos) << status.message();
      }
      const Result<Journal> read = Journal::Open(path, "id", kSize);
      ASSERT_TRUE(read.ok()) << n << ": " << read.status().message();
      EXPECT_LE(read->Done(0), 100U) << n;
      EXPECT_LE(read->Done(1), 50U) << n;
      EXPECT_EQ(status.ok(), read->TotalDone() == 150) << n;
    });
  }
}

}  // namespace
}  // namespace tandem
