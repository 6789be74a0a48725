// Every row of the damage table is detected or harmless, and the table in DAMAGE.md is the one of now.
#include "tests/fuzz/table.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

TEST(DamageTable, EveryRowIsDetectedOrHarmless) {
  const damage::TableResult table = damage::MakeTable();
  EXPECT_TRUE(table.holds) << table.markdown;
  std::ifstream in(CPR_SOURCE_ROOT "/tests/fuzz/DAMAGE.md");
  const std::string document{std::istreambuf_iterator<char>(in), {}};
  EXPECT_NE(document.find(table.markdown), std::string::npos)
      << "DAMAGE.md has another table than fuzz_damage_table prints:\n"
      << table.markdown;
}
